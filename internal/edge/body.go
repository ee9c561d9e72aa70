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
	body, err := read(http.MaxBytesReader(w, r.Body, MaxBody), r.ContentLength)
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

// read reads everything; a length of -1 is an unknown one.
func read(r io.Reader, length int64) ([]byte, error) {
	if length < 0 {
		return io.ReadAll(r)
	}
	body := make([]byte, length)
	_, err := io.ReadFull(r, body)
	return body, err
}

func tooLarge() error {
	return &verify.Error{Code: verify.TooLarge, Message: "the body is larger than 64 KiB"}
}

// isJSON refuses other media types, other charsets and compressed bodies.
func isJSON(h http.Header) error {
	bad := &verify.Error{Code: verify.BadMedia, Message: "send JSON in UTF-8, uncompressed, with Content-Type: application/json"}
	if e := h.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return bad
	}
	ct := h.Values("Content-Type")
	if len(ct) == 1 && ct[0] == "application/json" {
		return nil
	}
	if len(ct) != 1 {
		return bad
	}
	media, params, err := mime.ParseMediaType(ct[0])
	if charset, given := params["charset"]; err != nil || media != "application/json" || given && !strings.EqualFold(charset, "utf-8") {
		return bad
	}
	return nil
}
