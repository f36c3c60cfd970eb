// Package file is the engine of the sources that are files: one file, a folder, or the files that match a pattern, read as
// one table. A [Format] reads the records of a file; everything else is here, once.
//
// Without an updated column the checkpoint is a fingerprint of all files (E10). With one, an index of the records in the
// order (updated, id) is kept in memory, 21 bytes and the id for each. Either way a run is over one version of the files:
// when one of them changes, comes or goes, the run's offsets are refused, and the synchronizer begins again from its last
// checkpoint. A new version is examined in the background, once: requests for which that takes too long are told when to come back.
//
// A later record with the id of an earlier one replaces it, in the order of the files' names; with an updated column the one
// with the newer stamp does.
//
// A kind is a configuration, a format, and a few lines:
//
//	// Config is the configuration of kind toy.
//	type Config struct {
//		file.Config `yaml:",inline"`
//		Separator   string `yaml:"separator" jsonschema_description:"What stands between two words. Default: a space."`
//	}
//
//	// New makes the factory of one endpoint. It opens no file.
//	func New(cfg Config, deps source.Deps) (source.Factory, error) {
//		return file.New(cfg.Config, format{cfg.Separator}, source.SettingsOf("toy", revision, cfg), deps)
//	}
//
// Package csv is the example to follow for a format in which reading can begin anywhere. If it cannot, the reader is not a
// [Seeker]: the engine does the rest. Package filetest has the checks that every format passes.
package file
