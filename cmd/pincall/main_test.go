package main

import (
	"runtime/debug"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWithoutNumbers(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"": "", "a1b22c333": "a1b22c333", "code 0542.": "code ....", "+14155550100": "+...", "日本1": "日本1",
	} {
		if got := withoutNumbers(in); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	released := &debug.BuildInfo{GoVersion: "go1.26.0", Main: debug.Module{Version: "v1.2.3"}, Settings: []debug.BuildSetting{
		{Key: "vcs.revision", Value: "0123456789abcdef0123"}, {Key: "vcs.modified", Value: "true"},
	}}
	for _, tc := range []struct {
		info *debug.BuildInfo
		want string
	}{
		{released, "v1.2.3 (0123456789ab, modified, go1.26.0)"},
		{&debug.BuildInfo{GoVersion: "go1.26.0"}, "(devel) (go1.26.0)"},
		{nil, "(unknown build)"},
	} {
		if diff := cmp.Diff(tc.want, version(tc.info, tc.info != nil)); diff != "" {
			t.Error(diff)
		}
	}
}
