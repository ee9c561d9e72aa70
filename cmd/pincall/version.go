package main

import (
	"fmt"
	"runtime/debug"
)

// versionCmd prints what was built.
type versionCmd struct{}

// Run prints the module's version, the revision and the compiler.
func (versionCmd) Run(sys system) error {
	_, err := fmt.Fprintln(sys.Out, "pincall "+version(debug.ReadBuildInfo()))
	return err
}

// version is "v1.2.3 (0123456789ab, modified, go1.26.0)"; what the build does
// not know is left out.
func version(info *debug.BuildInfo, ok bool) string {
	if !ok {
		return "(unknown build)"
	}
	name := info.Main.Version
	if name == "" {
		name = "(devel)"
	}
	details := ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && len(s.Value) > 12:
			details += s.Value[:12] + ", "
		case s.Key == "vcs.modified" && s.Value == "true":
			details += "modified, "
		}
	}
	return name + " (" + details + info.GoVersion + ")"
}
