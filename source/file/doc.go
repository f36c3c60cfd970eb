// Package file is the engine of the sources that are files: one file, a folder, or the files that match a pattern, read as
// one table. A [Format] reads the records of a file; everything else is here, once.
//
// Without an updated column the checkpoint is a fingerprint of all files (E10). With one, an index of the records in the
// order (updated, id) is kept in memory, about 24 bytes and the id for each. Either way a run is over one version of the files:
// when one of them changes, comes or goes, the run's offsets are refused, and the synchronizer begins again from its last
// checkpoint.
//
// A later record with the id of an earlier one replaces it, in the order of the files' names; with an updated column the one
// with the newer stamp does.
package file
