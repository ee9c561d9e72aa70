package app_test

import (
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/pincall/pincall/client"
	"github.com/pincall/pincall/internal/secret"
	"github.com/pincall/pincall/internal/store/postgres/pgtest"
	"github.com/pincall/pincall/xoxzo/xoxzotest"
)

// Two nodes behind one address, of which only one calls: a callback that comes to
// the other has the carrier asked within a second or so. By its own turns the node
// that follows would ask the fourth time nearly 7 s after the third.
func TestCallbackToAnotherNode(t *testing.T) {
	t.Parallel()
	s, x := newShared(t, pgtest.Shared(t)), xoxzotest.New(t)
	x.ScriptCalls("", xoxzotest.Life{Statuses: []string{"IN_PROGRESS", "ANSWERED"}, Reads: 1000})
	node := func(public string, serve bool) *running {
		return s.run(fmt.Sprintf("guard: {countries: [JP]}\npublic_url: %q\nroutes: [{carrier: xoxzo, serve: %t, caller: \"815012345678\", base_url: %q}]\n",
			public, serve, x.URL), map[string]string{"XOXZO_API_SID": x.SID, "XOXZO_API_AUTH_TOKEN": x.AuthToken})
	}
	asked := node("", false)
	follows := node("http://"+asked.main.Addr(), true)
	v := follows.begin(client.StartRequest{To: "+818012345678", Locale: "en"})
	questions := func() (n int) {
		for _, r := range x.Requests() {
			if r.Method == http.MethodGet && strings.HasPrefix(r.Path, "/voice/calls/") {
				n++
			}
		}
		return n
	}
	eventually(t, "the third question", func() bool { return questions() == 3 })
	call := x.Calls()[0]
	ended := time.Now()
	if !x.End(call.ID) {
		t.Fatal("there is no such call")
	}
	got := asked.until(v.ID, "the end", attemptEnded)
	took := time.Since(ended)
	t.Logf("%s %v after the callback", got.Attempts[0].Outcome, took.Round(time.Millisecond))
	if took > 4*time.Second || questions() != 4 {
		t.Errorf("the call's end was learned %v after the callback, by question %d", took, questions())
	}
	for _, c := range x.Callbacks() {
		if c.Status != http.StatusNoContent {
			t.Errorf("the callback was answered %d %s", c.Status, c.Err)
		}
	}
	token := path.Base(call.CallbackURL)
	hash := token[len(token)-32:]
	for name, text := range map[string]string{"its log": asked.log.String(), "the other's log": follows.log.String(), "the database": s.dump()} {
		if strings.Contains(text, hash) || strings.Contains(text, "/callbacks/xoxzo/"+token[:8]) {
			t.Errorf("the address is in %s", name)
		}
	}
	if res := asked.postCallback(token); res != http.StatusNoContent {
		t.Errorf("after the end: %d", res)
	}
	if rows := s.rows(`SELECT node, attempt FROM hints`); len(rows) != 0 {
		t.Errorf("left over: %v", rows)
	}
}

// postCallback posts to a callback address, and gives the status.
func (r *running) postCallback(token string) int {
	r.t.Helper()
	res, err := http.PostForm("http://"+r.main.Addr()+"/callbacks/xoxzo/"+token, url.Values{"status": {"ANSWERED"}})
	r.ok(err)
	defer res.Body.Close()
	return res.StatusCode
}

// Who guesses has nothing written; who knows a token has one row written, however
// often it is posted, and none where nobody works on the attempt.
func TestGuessedCallback(t *testing.T) {
	t.Parallel()
	s, x := newShared(t, pgtest.Shared(t)), xoxzotest.New(t)
	config, env := xoxzoConfig(x)
	r := s.run(config, env)
	keys, err := secret.LoadKeyring(s.keyring)
	r.ok(err)
	token := func(attempt string) string { return attempt + fmt.Sprintf("%x", keys.Index("callback", attempt)) }
	held, free := secret.NewID(time.Now(), nil), secret.NewID(time.Now(), nil)
	const far = 1 << 60 // no node takes over
	r.ok(s.cluster.Exec(t.Context(), s.name, fmt.Sprintf(`INSERT INTO nodes VALUES ('another', %d)`, far),
		fmt.Sprintf(`INSERT INTO jobs (kind, subject, due_at, node) VALUES ('deliver', '%s', 0, 'another'), ('deliver', '%s', %d, NULL)`, held, free, far)))
	for _, guess := range []string{"0123456789abcdef", held, held + strings.Repeat("0", 32), strings.ToUpper(token(held)), token(held) + "0"} {
		if got := r.postCallback(guess); got != http.StatusNotFound {
			t.Errorf("a guess was answered %d", got)
		}
	}
	if rows := s.rows(`SELECT node, attempt FROM hints`); len(rows) != 0 {
		t.Errorf("after guesses there is %v", rows)
	}
	for range 5 {
		for _, attempt := range []string{held, free, secret.NewID(time.Now(), nil)} {
			if got := r.postCallback(token(attempt)); got != http.StatusNoContent {
				t.Errorf("a token was answered %d", got)
			}
		}
	}
	if rows := s.rows(`SELECT node, attempt FROM hints`); len(rows) != 1 || rows[0] != [2]string{"another", held} {
		t.Errorf("after callbacks there is %v", rows)
	}
}
