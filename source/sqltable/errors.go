package sqltable

import (
	"context"
	"errors"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source"
)

// diagnose asks the database about an error. It returns nil and errors that are known already unchanged.
func (db *database) diagnose(err error) Diagnosis {
	var known *bridge.Error
	var config *source.ConfigError
	if err == nil || errors.As(err, &known) || errors.As(err, &config) {
		return Diagnosis{}
	}
	return db.Diagnose(err)
}

// explain returns an error that names the cause, so that a caller knows what to do. Other errors stay unchanged.
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
		Hint: "Create an index on (updated, id) if it is missing: preview shows the statement. Otherwise check the database for overload and for locks.",
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
		Code: bridge.CodeSourceBroken, Message: "the order of (updated, id) is not stable",
		Hint: "Set updated and id to expressions that return the same value each time they are read, without random() and now().",
	}
}
