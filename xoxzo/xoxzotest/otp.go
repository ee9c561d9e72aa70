package xoxzotest

import (
	"crypto/rand"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// What Xoxzo's documents leave open about one-time passwords, as this server has it.
const (
	// OTPValidity is how long a code lives on the server's clock.
	OTPValidity = 10 * time.Minute
	// OTPGuesses is how many guesses a code allows.
	OTPGuesses = 5
	otpDigits  = 1_000_000 // codes have six digits
)

// otp is one code.
type otp struct {
	OTP
	made    time.Time
	guesses int
	done    bool // verified, or out of guesses
}

// OTP is one code as it was sent.
type OTP struct {
	ID, Website, Recipient string
	Code                   string // for tests only: the real one is in the message alone
}

// String hides the code and the number, so that a failing test does not print them.
func (o OTP) String() string { return "xoxzotest.OTP(" + o.ID + ")" }

// GoString is String.
func (o OTP) GoString() string { return o.String() }

// OTPs returns the codes that were sent, in order.
func (s *Server) OTPs() []OTP {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]OTP, 0, len(s.otps))
	for _, o := range s.otps {
		out = append(out, o.OTP)
	}
	return out
}

func checkRegister(form url.Values) complaints {
	bad := checkForm(form, "website", "template_id")
	checkWebsite(form, bad)
	if form.Has("template_id") && form.Get("template_id") != "3" {
		bad.add("template_id", "This is not a valid choice.")
	}
	return bad
}

func checkWebsite(form url.Values, bad complaints) {
	u, err := url.Parse(form.Get("website"))
	switch {
	case !form.Has("website"):
		bad.add("website", required)
	case err != nil || u.Scheme != "https" || u.Host == "" || strings.Trim(u.Path, "/") != "":
		bad.add("website", "Enter a valid website: https:// and a domain.")
	}
}

// register is documented in full: 201, or 400 for one that is there.
func (s *Server) register(act action) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	website := act.form.Get("website")
	if s.websites[website] {
		text := "website info with this website already exists."
		return answer{status: http.StatusBadRequest, body: complaints{"website": {text}}}
	}
	s.websites[website] = true
	return answer{status: http.StatusCreated, body: map[string]string{"message": "Website registered successfully."}}
}

func checkRequestOTP(form url.Values) complaints {
	bad := checkForm(form, "website", "phone_number")
	checkWebsite(form, bad)
	checkPhone(form, bad)
	return bad
}

func checkPhone(form url.Values, bad complaints) {
	switch {
	case !form.Has("phone_number"):
		bad.add("phone_number", required)
	case !strictE164(form.Get("phone_number")):
		bad.add("phone_number", "Enter a valid phone number in E.164 format.")
	}
}

// requestOTP sends a code. A live one for the same number and website is a refusal here; Xoxzo says only that one live code
// is "enforced".
func (s *Server) requestOTP(act action) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	website, number := act.form.Get("website"), act.form.Get("phone_number")
	if !s.websites[website] {
		return answer{status: http.StatusBadRequest, body: complaints{"website": {"The website is not registered."}}}
	}
	for _, o := range s.otps {
		if o.Website == website && o.Recipient == number && s.live(o) {
			text := "There is an active one-time password for this number."
			return answer{status: http.StatusBadRequest, body: complaints{"phone_number": {text}}}
		}
	}
	if a := s.charge(MessageCost); a.status != 0 {
		return a
	}
	n, err := rand.Int(rand.Reader, big.NewInt(otpDigits))
	if err != nil {
		panic("xoxzotest: no random numbers: " + err.Error()) // crypto/rand does not fail on a supported system
	}
	code := fmt.Sprintf("%06d", n)
	rec := s.addMessage(url.Values{
		"recipient": {number}, "sender": {"Xoxzo"}, "message": {"あなたの確認コードは" + code + "です。"},
	})
	s.otps = append(s.otps, &otp{
		OTP: OTP{ID: rec.id, Website: website, Recipient: number, Code: code}, made: s.now(),
	})
	return answer{status: http.StatusCreated, body: map[string]string{"msgid": rec.id}}
}

// live: the caller holds s.mu.
func (s *Server) live(o *otp) bool { return !o.done && s.now().Sub(o.made) < OTPValidity }

// checkVerifyOTP asks for a code and for one of the ways to name it that the two sources have: otp_id (or msgid, which is
// what a request answers), or website and phone_number.
func checkVerifyOTP(form url.Values) complaints {
	bad := checkForm(form, "otp_id", "msgid", "website", "phone_number", "code")
	if !form.Has("code") {
		bad.add("code", required)
	}
	if form.Has("website") {
		checkWebsite(form, bad)
	}
	if form.Has("phone_number") {
		checkPhone(form, bad)
	}
	if !form.Has("otp_id") && !form.Has("msgid") && (!form.Has("website") || !form.Has("phone_number")) {
		bad.add("otp_id", required)
	}
	return bad
}

// verifyOTP counts the guess. Xoxzo's answers are not documented; these are: 200 {"verified":true,...} for the right code,
// 400 {"code":[...]} for a wrong one, 400 {"otp_id":[...]} where there is no live code of that name. All that is given must
// be of the same code.
func (s *Server) verifyOTP(act action) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	fits := func(name, have string) bool { return !act.form.Has(name) || act.form.Get(name) == have }
	for _, o := range s.otps {
		if !s.live(o) || !fits("otp_id", o.ID) || !fits("msgid", o.ID) || !fits("website", o.Website) || !fits("phone_number", o.Recipient) {
			continue
		}
		o.guesses++
		right := act.form.Get("code") == o.Code
		o.done = right || o.guesses >= OTPGuesses
		if !right {
			return answer{status: http.StatusBadRequest, body: complaints{"code": {"Invalid code."}}}
		}
		return answer{status: http.StatusOK, body: view{"verified": true, "message": "OTP verified successfully."}}
	}
	return answer{status: http.StatusBadRequest, body: complaints{"otp_id": {"There is no active one-time password."}}}
}
