package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/contactbridge/contactbridge/internal/config"
	"github.com/contactbridge/contactbridge/internal/hubconfig"
	"github.com/contactbridge/contactbridge/internal/strictyaml"
	"github.com/contactbridge/contactbridge/source/kinds"
)

// configFlag is the flag that names the bridge's configuration.
type configFlag struct{ path string }

func (f *configFlag) add(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&f.path, "config", "c", "bridge.yaml", "configuration `file`")
	_ = cmd.MarkFlagFilename("config", "yaml", "yml") // the flag is there
}

// load reads the configuration. What is wrong with it is printed, all of it, and the error is that of wrong use.
func (f *configFlag) load(cmd *cobra.Command) (*config.Config, error) {
	cfg, err := config.Load(f.path)
	if err == nil {
		return cfg, nil
	}
	if problems, ok := errors.AsType[*strictyaml.Problems](err); ok {
		printProblems(cmd, problems, "docs/configuration.md, or  contactbridge config docs")
		return nil, errors.Join(errSaid, misuse("", ""))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, misuse(fmt.Sprintf("file %s does not exist", f.path), "Name the configuration with -c FILE; the files in examples/ are a start.")
	}
	return nil, misuse(err.Error(), "Name the configuration with -c FILE.")
}

// printProblems prints what is wrong with a configuration, and where its keys are explained.
func printProblems(cmd *cobra.Command, problems *strictyaml.Problems, where string) {
	out := cmd.ErrOrStderr()
	for line := range strings.SplitSeq(problems.Error(), "\n") {
		fmt.Fprintln(out, oneLine(line))
	}
	fmt.Fprintf(out, "%s in %s. All keys: %s\n", count(len(problems.List), "problem"), problems.File, where)
}

// count writes a number of things: 1 problem, 2 problems.
func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

func newConfigCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "config",
		GroupID: groupBridge,
		Short:   "Print the reference of a configuration, or the JSON Schema of the bridge's",
		Example: `  contactbridge config docs | less
  contactbridge config schema > bridge.schema.json`,
		Args: noSuchCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	hub := false
	docs := printing("docs", "Print what every key means, as Markdown", func() ([]byte, error) {
		if hub {
			return hubconfig.Markdown()
		}
		return config.Markdown()
	})
	docs.Flags().BoolVar(&hub, "hub", false, "of the hub's configuration, not the bridge's")
	cmd.AddCommand(docs, printing("schema", "Print the JSON Schema, for editors and programs", config.Schema), newPresetCommand())
	return cmd
}

// newPresetCommand lists the presets, or prints one.
func newPresetCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "preset [NAME]",
		Short: "List the presets of services, or print one, to read or to change",
		Example: `  contactbridge config preset
  contactbridge config preset espocrm`,
		Args: cobra.MaximumNArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return presetNames(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return listPresets(cmd)
			}
			if kind, ok := kinds.Named(args[0]); ok && kind.Preset != "" {
				_, err := fmt.Fprint(cmd.OutOrStdout(), kind.Preset)
				return err
			}
			hint := "Presets: " + strings.Join(presetNames(), ", ") + "."
			if near := strictyaml.Nearest(args[0], presetNames()); near != "" {
				hint = fmt.Sprintf("Did you mean %q? %s", near, hint)
			}
			return misuse(fmt.Sprintf("there is no preset %q", args[0]), hint)
		},
	}
}

// presetNames lists the presets.
func presetNames() []string {
	var names []string
	for _, kind := range kinds.All() {
		if kind.Preset != "" {
			names = append(names, kind.Name)
		}
	}
	return names
}

func listPresets(cmd *cobra.Command) error {
	for _, kind := range kinds.All() {
		if kind.Preset == "" {
			continue
		}
		if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%-16s %s\n", kind.Name, kind.Summary); err != nil {
			return err
		}
	}
	return nil
}

// printing is a command that prints a generated text, or writes it to a file.
func printing(name, short string, generate func() ([]byte, error)) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:               name,
		Short:             short,
		Args:              takes(),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			text, err := generate()
			if err != nil {
				return err
			}
			if output != "" {
				return os.WriteFile(output, text, 0o644)
			}
			_, err = cmd.OutOrStdout().Write(text)
			return err
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "write to a `file` instead")
	return cmd
}
