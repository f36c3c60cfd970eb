package ldap

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	client "github.com/go-ldap/ldap/v3"

	"github.com/contactbridge/contactbridge/bridge"
)

// A usnWay reads by the update sequence numbers of one domain controller of Active Directory.
type usnWay struct{ r *reader }

func (usnWay) name() string { return changesUSN }

const (
	// tombstones is how many days a token is good for: deleted objects are kept for 60 days at least.
	tombstones = 55
	// A token of a run that found nothing is kept, unless it is older than quietDays, or quietNumbers were given since.
	quietDays    = 7
	quietNumbers = 10_000
)

// start implements [way].
func (w usnWay) start(ctx context.Context) (token, error) {
	now, err := readRoot(w.r.conn)
	if err != nil {
		return token{}, diagnose(err, "")
	}
	service, err := w.r.get(ctx, now.value("dsServiceName"), anyEntry, []string{"invocationId"})
	if err != nil {
		return token{}, err
	}
	number, err := strconv.ParseInt(now.value("highestCommittedUSN"), 10, 64)
	if err != nil || service == nil || len(service.GetEqualFoldRawAttributeValue("invocationId")) != 16 {
		return token{}, &bridge.Error{
			Code: bridge.CodeSourceBroken, Message: "the domain controller does not say which one it is",
			Hint: "Let the user of bind_dn read the configuration partition, as every user of the domain may, or set changes: stamp.",
		}
	}
	return token{
		way: changesUSN, source: guidText(service.GetEqualFoldRawAttributeValue("invocationId")), number: number, made: w.r.now().Unix() / 86400,
	}, nil
}

// finish implements [way]: entries that changed meanwhile are read again, since they may have moved to a part that was read already.
func (w usnWay) finish(ctx context.Context, next token) (token, error) {
	for _, p := range w.r.parts {
		if err := w.r.readPart(ctx, p, since(next)); err != nil {
			return token{}, err
		}
	}
	return next, nil
}

// since is the filter of what changed after a token.
func since(t token) string { return fmt.Sprintf("(uSNChanged>=%d)", t.number+1) }

// changes implements [way]. The wide search comes first: an entry that is there and in no part afterwards is gone from them.
func (w usnWay) changes(ctx context.Context, from token) (token, bool, error) {
	next, err := w.start(ctx)
	if err != nil {
		return token{}, false, err
	}
	if next.source != from.source || next.number < from.number || next.made-from.made > tombstones || next.made < from.made {
		return token{}, false, nil
	}
	changed, err := w.changed(ctx, from)
	if err != nil {
		return token{}, false, err
	}
	for _, p := range w.r.parts {
		if err := w.r.readPart(ctx, p, since(from)); err != nil {
			return token{}, false, err
		}
	}
	if err := w.r.gone(ctx, changed); err != nil {
		return token{}, false, err
	}
	if w.r.out.rows == 0 && next.number-from.number < quietNumbers && next.made-from.made < quietDays {
		next = from
	}
	return next, true, nil
}

// changed returns the ids of all entries of the domain that changed, deleted ones among them where the reader may see them.
func (w usnWay) changed(ctx context.Context, from token) ([]string, error) {
	var ids []string
	q := query{scope: client.ScopeWholeSubtree, filter: "(&" + w.r.wide() + since(from) + ")", wanted: []string{"objectGUID"}}
	seesDeleted, err := w.r.seesDeleted(ctx)
	if err != nil {
		return nil, err
	}
	if seesDeleted {
		q.controls = []client.Control{showDeleted}
	}
	for _, q.base = range w.r.contextsOf() {
		err := w.r.search(ctx, q, func(e *client.Entry) error {
			ids = append(ids, w.r.mapping.native(e))
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// seesDeleted reports whether the reader may see deleted objects.
func (r *reader) seesDeleted(ctx context.Context) (bool, error) {
	if len(r.root.contexts()) == 0 {
		return false, nil
	}
	e, err := r.get(ctx, "CN=Deleted Objects,"+r.root.contexts()[0], anyEntry, []string{"1.1"}, showDeleted)
	if errors.As(err, new(*resultCode)) { // no right to ask
		return false, nil
	}
	return e != nil, err
}
