package sqltable

import (
	"context"
	"errors"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source"
)

// diagnose asks the database about an error; nil and errors that are known already are nothing to diagnose.
func (db *database) diagnose(err error) Diagnosis {
	var known *bridge.Error
	var config *source.ConfigError
	if err == nil || errors.As(err, &known) || errors.As(err, &config) {
		return Diagnosis{}
	}
	return db.Diagnose(err)
}

// explain names the cause of an error so that a caller knows what to do. It keeps what names none.
func (s *Source) explain(ctx context.Context, err error) error {
	var known *bridge.Error
	var config *source.ConfigError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return err
	case errors.As(err, &config):
		return &bridge.Error{Code: bridge.CodeSourceBroken, Message: "the source's configuration does not fit the database: " + config.Message, Hint: config.Hint}
	case ctx.Err() != nil:
		return interrupted(ctx.Err())
	}
	if d := s.db.Diagnose(err); d.Error != nil {
		return d.Error
	}
	return err
}

// interrupted returns the error of a context that is done.
func interrupted(cause error) error {
	if errors.Is(cause, context.Canceled) {
		return cause
	}
	return &bridge.Error{
		Code: bridge.CodeSourceTimeout, Message: "the database did not answer in time", Err: cause,
		Hint: "Is there an index on (updated, id)? preview shows the statement that makes one. Otherwise the database is overloaded, or a lock is held.",
	}
}

// misfit returns an error of one key of the configuration.
func (s *Source) misfit(ctx context.Context, key string, err error) error {
	d := s.db.diagnose(err)
	if !d.Statement {
		return s.explain(ctx, err)
	}
	hint := "Correct " + key + " in the endpoint's source."
	if d.Hint != "" {
		hint += " " + d.Hint
	}
	return &bridge.Error{
		Code: bridge.CodeSourceBroken, Message: "the source's " + key + " does not fit the database: " + d.Message, Hint: hint, Err: d.Cause,
	}
}

// orderError says that an order cannot be relied on (E8).
func orderError() error {
	return &bridge.Error{
		Code: bridge.CodeSourceBroken, Message: "the order of (updated, id) does not move on",
		Hint: "Write updated and id so that they give the same value each time they are read: no random(), no now().",
	}
}
