package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"time"

	"github.com/pincall/pincall/internal/edge"
	"github.com/pincall/pincall/internal/verify"
)

// pageFiles are the phone's page as browsers get it: no build step, nothing of
// another host.
//
//go:embed page
var pageFiles embed.FS

// pagePolicy is the page's Content-Security-Policy (CSP level 3): scripts,
// styles and requests of this origin only, nothing inline, in nobody's frame.
// data: is for the drawings in its style sheets.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
	"frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

// document is the file that is the page itself; all others are its assets.
const document = "index.html"

// mediaTypes are those of the page's files, by the name's end. They do not come
// from the system's tables, which differ.
func mediaTypes() map[string]string {
	return map[string]string{
		".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
		".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
	}
}

// asset is a file of the page.
type asset struct {
	body      []byte
	mediaType string
	tag       string // ETag: it changes with the body
}

// addPage adds the page and its files.
func (s *server) addPage(m *edge.Mux) {
	assets, err := loadAssets(pageFiles)
	if err != nil {
		panic(err) // the files are compiled in: only a programmer's mistake breaks them
	}
	public := func(pattern string, h edge.Handler) {
		m.Handle(edge.Route{Method: http.MethodGet, Pattern: pattern, Access: edge.Access{Public: true}, Quiet: true},
			func(w http.ResponseWriter, r *edge.Request) error {
				if s.cfg.Phones == nil {
					return noPhones()
				}
				return h(w, r)
			})
	}
	public("/phone", func(w http.ResponseWriter, r *edge.Request) error {
		// The page itself asks for a key where this gives it no cookie. It is never
		// stored: edge says so, and a stored one would come without its cookie.
		s.page.welcome(w, r)
		h := w.Header()
		h.Set("Content-Security-Policy", pagePolicy)
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		assets[document].serve(w, r)
		return nil
	})
	public("/phone/assets/{name}", func(w http.ResponseWriter, r *edge.Request) error {
		a, ok := assets[r.PathValue("name")]
		if !ok || r.PathValue("name") == document {
			return &verify.Error{Code: verify.NotFound, Message: "there is nothing at this address"}
		}
		w.Header().Set("Cache-Control", "no-cache") // kept, and asked for each time
		w.Header().Set("ETag", a.tag)
		a.serve(w, r)
		return nil
	})
}

// loadAssets reads the page's files.
func loadAssets(from fs.FS) (map[string]asset, error) {
	entries, err := fs.ReadDir(from, "page")
	if err != nil {
		return nil, fmt.Errorf("web: read the page: %w", err)
	}
	types, out := mediaTypes(), make(map[string]asset, len(entries))
	for _, e := range entries {
		body, err := fs.ReadFile(from, path.Join("page", e.Name()))
		if err != nil {
			return nil, fmt.Errorf("web: read the page: %w", err)
		}
		mediaType, ok := types[path.Ext(e.Name())]
		if !ok {
			return nil, fmt.Errorf("web: read the page: %s has no known media type", e.Name())
		}
		sum := sha256.Sum256(body)
		out[e.Name()] = asset{body, mediaType, `"` + hex.EncodeToString(sum[:12]) + `"`}
	}
	if _, ok := out[document]; !ok {
		return nil, fmt.Errorf("web: read the page: there is no %s", document)
	}
	return out, nil
}

// serve writes a file, or that the browser's copy is still good.
func (a asset) serve(w http.ResponseWriter, r *edge.Request) {
	w.Header().Set("Content-Type", a.mediaType)
	http.ServeContent(w, r.Request, "", time.Time{}, bytes.NewReader(a.body))
}
