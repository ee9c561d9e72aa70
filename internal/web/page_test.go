package web

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/pincall/pincall/internal/edge"
)

func TestPageHeaders(t *testing.T) {
	t.Parallel()
	w, _ := ask(&phones{}, "GET /phone", "")
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "<!doctype html>") {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	for name, want := range map[string]string{
		"Content-Type":               "text/html; charset=utf-8",
		"Content-Security-Policy":    pagePolicy,
		"X-Content-Type-Options":     "nosniff",
		"Cache-Control":              "no-store",
		"Referrer-Policy":            "no-referrer",
		"Cross-Origin-Opener-Policy": "same-origin",
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestPageWithoutPhones(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/phone", "/phone/assets/main.js"} {
		w, _ := ask(nil, "GET "+path, "")
		if w.Code != http.StatusNotFound || w.Header().Get("Content-Type") != edge.ProblemType {
			t.Errorf("%s: %d %s", path, w.Code, w.Header().Get("Content-Type"))
		}
	}
}

func TestPageAssets(t *testing.T) {
	t.Parallel()
	assets, err := loadAssets(pageFiles)
	if err != nil {
		t.Fatal(err)
	}
	for name, a := range assets {
		if name == document {
			continue
		}
		w, _ := ask(&phones{}, "GET /phone/assets/"+name, "")
		tag := w.Header().Get("ETag")
		if w.Code != http.StatusOK || w.Body.String() != string(a.body) || w.Header().Get("Cache-Control") != "no-cache" || tag == "" {
			t.Errorf("%s: %d, ETag %q", name, w.Code, tag)
		}
		if again, _ := ask(&phones{}, "GET /phone/assets/"+name, "", "If-None-Match", tag); again.Code != http.StatusNotModified {
			t.Errorf("%s: %d though the browser has it", name, again.Code)
		}
	}
	for _, path := range []string{"index.html", "page.go", "..%2fpage.go", "none"} {
		if w, _ := ask(&phones{}, "GET /phone/assets/"+path, ""); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

// TestPageIsWhole proves that the page asks for nothing that is not there, of no
// other host, and for nothing that its own policy forbids.
func TestPageIsWhole(t *testing.T) {
	t.Parallel()
	assets, err := loadAssets(pageFiles)
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`/phone/assets/([\w.]+)|from "\./([\w.]+)"`)
	forbidden := regexp.MustCompile(`https?://(?:[^w]|w[^w]|ww[^w]|www\.[^w])|innerHTML|outerHTML|\beval\(|localStorage|sessionStorage|<style|\sstyle=|\son\w+="|javascript:`)
	used := map[string]bool{document: true}
	for name, a := range assets {
		for _, m := range named.FindAllStringSubmatch(string(a.body), -1) {
			file := m[1] + m[2]
			used[file] = true
			if _, ok := assets[file]; !ok {
				t.Errorf("%s asks for %s, which is not there", name, file)
			}
		}
		if found := forbidden.FindString(string(a.body)); found != "" {
			t.Errorf("%s has %q", name, found)
		}
		if lines := strings.Count(string(a.body), "\n"); lines > 400 {
			t.Errorf("%s has %d lines", name, lines)
		}
	}
	for name := range assets {
		if !used[name] {
			t.Errorf("nothing asks for %s", name)
		}
	}
}

func TestLoadAssets(t *testing.T) {
	t.Parallel()
	for name, files := range map[string]fstest.MapFS{
		"no folder":    {},
		"no document":  {"page/main.js": {}},
		"unknown type": {"page/index.html": {}, "page/a.exe": {}},
	} {
		if _, err := loadAssets(files); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
