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

func TestWithoutTokens(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"open pck_k1_a2b3: no": "open [token]: no", "PCT_a_b,pck_c_d": "[token],[token]", "pck_ and pck": "pck_ and pck",
	} {
		if got := withoutTokens(in); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestPrintable(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"": "", "Büro 日本 'x'": "Büro 日本 'x'", "a\tb\x1b[2Jc\n": `a\tb\x1b[2Jc\n`, "\u202eabc": `\u202eabc`,
	} {
		if got := printable(in); got != want {
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
