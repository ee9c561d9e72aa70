// Package recorder is a carrier that only writes down: it speaks the part of
// Xoxzo's telephony API that pincall's adapter uses, takes every call and message,
// lets it be answered at once, and keeps how often each number was called and the
// code that it was told. It is fast where package xoxzotest is strict.
package recorder

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// Credentials that the recorder takes; it takes any.
const (
	SID       = "bench"
	AuthToken = "bench"
)

// callbacks is how many posts to callback addresses are under way at a time;
// further ones are left out, as a callback is a hint only.
const callbacks = 64

// Recorder is the carrier, serving on a loopback address. Safe for concurrent
// use.
type Recorder struct {
	URL string

	server *http.Server
	poster *http.Client
	posts  chan string

	Ledger
}

// New starts a recorder. Close it.
func New() (*Recorder, error) {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &Recorder{
		URL: "http://" + lis.Addr().String(), posts: make(chan string, 1<<16),
		poster: &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: callbacks}},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /voice/simple/playbacks/", r.place("callid", "tts_message", spoken))
	mux.HandleFunc("GET /voice/calls/{id}/", r.call)
	mux.HandleFunc("POST /sms/messages/", r.place("msgid", "message", Written))
	mux.HandleFunc("GET /sms/messages/{id}/", r.message)
	r.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = r.server.Serve(lis) }() // ends with Close
	for range callbacks {
		go r.post()
	}
	return r, nil
}

// Close ends the carrier.
func (r *Recorder) Close() {
	_ = r.server.Close()
	close(r.posts)
}

// place takes a call or a message.
func (r *Recorder) place(idKey, textKey string, read func(string) string) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		if err := req.ParseForm(); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		n := r.Record(req.PostForm.Get("recipient"), read(req.PostForm.Get(textKey)))
		id := fmt.Sprintf("%08x-0000-4000-8000-%012x", n, n)
		answer(w, http.StatusCreated, []map[string]string{{idKey: id}})
		if to := req.PostForm.Get("callbackurl"); to != "" {
			select {
			case r.posts <- to:
			default:
			}
		}
	}
}

// recipient finds whom a reference is for.
func (r *Recorder) recipient(id string) (string, bool) {
	var n int
	if _, err := fmt.Sscanf(id, "%x-", &n); err != nil {
		return "", false
	}
	return r.to(n)
}

func (r *Recorder) call(w http.ResponseWriter, req *http.Request) {
	id := req.PathValue("id")
	to, ok := r.recipient(id)
	if !ok {
		answer(w, http.StatusNotFound, map[string]string{"detail": "Not found."})
		return
	}
	now := time.Now().UTC().Format(time.DateTime)
	answer(w, http.StatusOK, map[string]any{
		"callid": id, "call_type": "simple/playbacks", "direction": "outbound", "caller": "815012345678", "recipient": to,
		"status": "ANSWERED", "start_time": now, "end_time": now, "duration": 15, "cost": 20, "tags": []string{},
		"url": r.URL + req.URL.Path,
	})
}

func (r *Recorder) message(w http.ResponseWriter, req *http.Request) {
	id := req.PathValue("id")
	to, ok := r.recipient(id)
	if !ok {
		answer(w, http.StatusNotFound, map[string]string{"detail": "Not found."})
		return
	}
	answer(w, http.StatusOK, map[string]any{
		"msgid": id, "status": "DELIVERED", "sent_time": time.Now().UTC().Format(time.DateTime), "cost": 10, "sender": "Bench",
		"recipient": to, "tags": []string{}, "url": r.URL + req.URL.Path,
	})
}

// post makes callbacks until Close.
func (r *Recorder) post() {
	form := url.Values{"status": {"ANSWERED"}}.Encode()
	for to := range r.posts {
		res, err := r.poster.Post(to, "application/x-www-form-urlencoded", strings.NewReader(form))
		if err == nil {
			res.Body.Close()
		}
	}
}

func answer(w http.ResponseWriter, status int, body any) {
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(body); err != nil {
		panic("recorder: " + err.Error()) // every body is made above
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // a client that went away has nothing to be told
}

var inMessage = regexp.MustCompile(`\b\d{6}\b`)

// Written finds the code in a message.
func Written(text string) string { return inMessage.FindString(text) }

// words are the digits as an English voice is given them.
var words = []string{"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"}

// spoken finds the code in what an English voice is given: the first six digits'
// words that follow the word "number".
func spoken(text string) string {
	var code []byte
	fields := strings.FieldsFunc(strings.ToLower(text), func(c rune) bool { return c < 'a' || c > 'z' })
	for i, f := range fields[:max(0, len(fields)-1)] {
		if f != "number" || len(code) == 6 {
			continue
		}
		for d, w := range words {
			if fields[i+1] == w {
				code = append(code, byte('0'+d))
			}
		}
	}
	return string(code)
}
