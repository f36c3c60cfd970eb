// Package rest reads the contacts of any HTTP API that answers in JSON. What is particular to an API stands in data: in the user's
// configuration (kind rest), or in a preset, a YAML file in the same language whose name is a kind of its own. docs/rest.md describes
// the language for people; [Language] and the types below it are what it is generated from.
//
// # How a run is read
//
// A run fixes its safe horizon H before it reads anything (E2): the time that the service tells in its answers, less the overlap. It
// then walks through segments, each with an order of its own:
//
//   - [deleted]: what the service says was deleted since the checkpoint. It is read first: a contact that was deleted and came back
//     is shown as it is now.
//   - [listed]: the full list of an initial run, where the language has one.
//   - [settled]: the records changed up to H, by (updated, id). Each request begins at the last stamp that was read and not after it;
//     records with one stamp are put in the order of their ids here, and those of a page's last stamp wait for the next request,
//     unless the page was the last. So a position is a pair, and no cursor of the service has to live on (E1).
//   - [fresh]: the records changed after H, by id: their stamps move while they are read, their ids do not (see package keyset).
//   - [left]: what was deleted since the run began: it may have gone before its place was read.
//   - [flow]: records in no order that a checkpoint can go by, or after a token of the service.
//
// Where too many records have one stamp, they are read by id. A request that cannot move on ends the run with an error (E8).
package rest
