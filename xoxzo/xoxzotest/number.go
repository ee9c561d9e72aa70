package xoxzotest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// Rentable is a number that can be rented. From the start there are, of dial-in numbers, those of the documented answer
// (docs.xoxzo.com/en/din): JPafr34rafic76tf at 650 and JPascfdrwersdf12 at 1900 credits, and one number for messages,
// JPsin00000000001 at 500.
type Rentable struct {
	UID, Number string // "JPafr34rafic76tf", "815012345678"
	// Country, CountryCode and Prefix: "JP", "81", "50".
	Country, CountryCode, Prefix string
	MonthlyCost, MinuteCost      float64 // credits
}

// rentable is a number and who has it.
type rentable struct {
	Rentable
	rented    bool
	actionURL string
}

func firstNumbers() map[string][]*rentable {
	return map[string][]*rentable{
		"din": {
			{Rentable: Rentable{"JPafr34rafic76tf", "815012345678", "JP", "81", "50", 650, 1}},
			{Rentable: Rentable{"JPascfdrwersdf12", "81312345678", "JP", "81", "3", 1900, 10}},
		},
		"sin": {{Rentable: Rentable{"JPsin00000000001", "818012345678", "JP", "81", "80", 500, 0}}},
	}
}

// kindOf is "din" or "sin", the name of the number's field.
func kindOf(op Op) string {
	if strings.Contains(string(op), "sin") {
		return "sin"
	}
	return "din"
}

// AddDIN adds a dial-in number.
func (s *Server) AddDIN(n Rentable) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rentals["din"] = append(s.rentals["din"], &rentable{Rentable: n})
}

func (r *rentable) view(kind string) view {
	v := view{
		kind: r.Number, kind + "_uid": r.UID, "country_code": r.CountryCode, "prefix": r.Prefix, "monthly_cost": r.MonthlyCost,
	}
	if kind == "din" {
		v["minute_cost"] = r.MinuteCost
	}
	if r.rented {
		v["action_url"] = r.actionURL
	}
	return v
}

// showNumbers lists what can be rented, by country=JP or prefix=813, each once and not both.
func (s *Server) showNumbers(act action) answer {
	query, err := url.ParseQuery(act.query)
	country, prefix := query.Get("country"), query.Get("prefix")
	bad := checkForm(query, "country", "prefix")
	switch {
	case err != nil || query.Has("country") && query.Has("prefix"):
		bad.add("non_field_errors", "Invalid filter.")
	case query.Has("country") && (len(country) != 2 || strings.ToUpper(country) != country || !alphanumeric(country)):
		bad.add("country", "Two capital letters are required.")
	case query.Has("prefix") && !digits(prefix):
		bad.add("prefix", "Digits are required.")
	}
	if len(bad) > 0 {
		return answer{status: http.StatusBadRequest, body: bad}
	}
	kind := kindOf(act.op)
	return s.list(kind, func(r *rentable) bool {
		return !r.rented && (country == "" || r.Country == country) && strings.HasPrefix(r.Number, prefix)
	})
}

func (s *Server) showSubscriptions(act action) answer {
	return s.list(kindOf(act.op), func(r *rentable) bool { return r.rented })
}

func (s *Server) list(kind string, chosen func(*rentable) bool) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []view{}
	for _, r := range s.rentals[kind] {
		if chosen(r) {
			list = append(list, r.view(kind))
		}
	}
	return answer{status: http.StatusOK, body: list}
}

func checkUID(field string) func(url.Values) complaints {
	return func(form url.Values) complaints {
		bad := checkForm(form, field)
		if !form.Has(field) {
			bad.add(field, required)
		}
		return bad
	}
}

func checkAction(form url.Values) complaints {
	bad := checkForm(form, "action_url")
	u, err := url.Parse(form.Get("action_url"))
	switch {
	case !form.Has("action_url"):
		bad.add("action_url", required)
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		bad.add("action_url", "Enter a valid URL.")
	}
	return bad
}

// find returns the number with this identifier, if rented is what it is. The caller holds s.mu.
func (s *Server) find(kind, uid string, rented bool) *rentable {
	for _, r := range s.rentals[kind] {
		if r.UID == uid && r.rented == rented {
			return r
		}
	}
	return nil
}

// subscribe charges the month at once, as documented.
func (s *Server) subscribe(act action) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	kind := kindOf(act.op)
	r := s.find(kind, act.form.Get(kind+"_uid"), false)
	if r == nil {
		return answer{status: http.StatusBadRequest, body: complaints{kind + "_uid": {"The number is not available."}}}
	}
	if a := s.charge(r.MonthlyCost); a.status != 0 {
		return a
	}
	r.rented, r.actionURL = true, ""
	return answer{status: http.StatusCreated, body: []view{r.view(kind)}}
}

func (s *Server) setAction(act action) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.find(kindOf(act.op), act.id, true)
	if r == nil {
		return detail(http.StatusNotFound, "Not found.")
	}
	r.actionURL = act.form.Get("action_url")
	return answer{status: http.StatusOK, body: []view{r.view(kindOf(act.op))}}
}

// unsubscribe answers 200: Xoxzo's Ruby client takes nothing else.
func (s *Server) unsubscribe(act action) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.find(kindOf(act.op), act.id, true)
	if r == nil {
		return detail(http.StatusNotFound, "Not found.")
	}
	r.rented, r.actionURL = false, ""
	return answer{status: http.StatusOK, body: []view{}}
}

// Ring lets caller (digits, or "" for a withheld number) call a rented dial-in number: the number's action URL is asked by
// GET, and the URL of the recording is returned that it wants played. Errors: the number is not rented, has no action URL,
// or one that is not on a loopback address, or its answer is anything but one line of plain text, "playback http://...".
func (s *Server) Ring(ctx context.Context, number, caller string) (recordingURL string, err error) {
	s.mu.Lock()
	target := ""
	for _, r := range s.rentals["din"] {
		if r.Number == number && r.rented {
			target = r.actionURL
		}
	}
	s.mu.Unlock()
	u, err := url.Parse(target)
	switch {
	case err != nil || target == "":
		return "", errors.New("xoxzotest: ring: the number is not rented or has no action URL")
	case u.Hostname() != "localhost" && !net.ParseIP(u.Hostname()).IsLoopback():
		return "", errors.New("xoxzotest: ring: not a loopback address: not called")
	}
	query := u.Query()
	query.Set("caller", caller)
	query.Set("recipient", number)
	u.RawQuery = query.Encode()
	return s.askAction(ctx, u.String())
}

// askAction makes the request and reads the command.
func (s *Server) askAction(ctx context.Context, target string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, callbackTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return "", fmt.Errorf("xoxzotest: ring: %w", err)
	}
	hc := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := hc.Do(req)
	if err != nil {
		return "", fmt.Errorf("xoxzotest: ring: %w", err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	switch {
	case err != nil:
		return "", fmt.Errorf("xoxzotest: ring: %w", err)
	case resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain"):
		return "", fmt.Errorf("xoxzotest: ring: status %d, type %q", resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	return parseAction(string(raw))
}

// parseAction reads the one command that is documented whole. A line break at the end is let pass.
func parseAction(text string) (recordingURL string, err error) {
	recordingURL, ok := strings.CutPrefix(strings.TrimSuffix(text, "\n"), "playback ")
	bad := complaints{}
	checkRecording(recordingURL, bad)
	if !ok || len(bad) > 0 {
		return "", errors.New("xoxzotest: ring: the answer is not one line, playback and an http URL")
	}
	return recordingURL, nil
}
