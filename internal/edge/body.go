package edge

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/pincall/pincall/internal/verify"
)

// MaxBody bounds a request's body, in bytes.
const MaxBody = 64 << 10

// readBody reads a body that is empty or JSON, whole.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.ContentLength > MaxBody {
		return nil, tooLarge()
	}
	if r.ContentLength == 0 || r.Body == nil {
		return nil, nil
	}
	body, err := read(w, r)
	if err != nil {
		if long := (*http.MaxBytesError)(nil); errors.As(err, &long) {
			return nil, tooLarge()
		}
		return nil, &verify.Error{Code: verify.BadInput, Message: "the body ended before it was complete: send it again", Err: err}
	}
	if len(body) == 0 {
		return nil, nil
	}
	if err := isJSON(r.Header); err != nil {
		return nil, err
	}
	return body, CheckJSON(body)
}

// read reads everything. Where the length is known, net/http gives no more.
func read(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.ContentLength < 0 {
		return io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	}
	body := make([]byte, r.ContentLength)
	_, err := io.ReadFull(r.Body, body)
	return body, err
}

func tooLarge() error {
	return &verify.Error{Code: verify.TooLarge, Message: "the body is larger than 64 KiB"}
}

// isJSON refuses other media types, other charsets and compressed bodies.
func isJSON(h http.Header) error {
	if e := h.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return badMedia()
	}
	ct := h.Values("Content-Type")
	if len(ct) == 1 && ct[0] == "application/json" {
		return nil
	}
	if len(ct) != 1 {
		return badMedia()
	}
	media, params, err := mime.ParseMediaType(ct[0])
	if charset, given := params["charset"]; err != nil || media != "application/json" || given && !strings.EqualFold(charset, "utf-8") {
		return badMedia()
	}
	return nil
}

func badMedia() error {
	return &verify.Error{Code: verify.BadMedia, Message: "send JSON in UTF-8, uncompressed, with Content-Type: application/json"}
}
