package xoxzo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Xoxzo's own one-time passwords: Xoxzo makes the code, sends it by SMS (never by voice), and checks what the person types.
const (
	otpRegisterPath = "/otp/register-website/"
	otpRequestPath  = "/otp/request/"
	otpVerifyPath   = "/otp/verify/"
)

// ErrUnclear is wrapped by the error of [Client.VerifyOTP] when the server said neither that the code is right nor that it
// is wrong. The code is then not verified, although the guess may have been counted.
const ErrUnclear = sentinel("the answer does not say whether the code is right")

// OTPWebsite is a website to be registered.
type OTPWebsite struct {
	// Website is the domain as Xoxzo's example writes it: "https://xoxzo.com". Required.
	Website string
	// TemplateID is the text of the messages; zero leaves it to Xoxzo, whose only documented one is 3, in Japanese.
	TemplateID int
}

// RegisterWebsite registers a website, once, for [Client.RequestOTP]. A second time gives an error for which
// [IsAlreadyRegistered] is true.
func (c *Client) RegisterWebsite(ctx context.Context, w OTPWebsite) error {
	const op = "register website"
	form := url.Values{"website": {w.Website}}
	switch {
	case strings.TrimSpace(w.Website) == "":
		return badInput(op, "website", "must not be empty")
	case w.TemplateID < 0:
		return badInput(op, "template_id", "must not be negative")
	case w.TemplateID > 0:
		form.Set("template_id", strconv.Itoa(w.TemplateID))
	}
	return c.post(ctx, request{op: op, path: otpRegisterPath, form: form}, nil)
}

// OTPRequest asks for a code to be sent by SMS.
type OTPRequest struct {
	// Website is one that is registered. Required.
	Website string
	// Recipient is the number, E.164 with its "+". Required. It can have one live code for each website.
	Recipient string
}

// String hides the number.
func (r OTPRequest) String() string {
	return fmt.Sprintf("xoxzo.OTPRequest(to %s)", maskNumber(r.Recipient))
}

// GoString is String.
func (r OTPRequest) GoString() string { return r.String() }

// Format writes String for every verb.
func (r OTPRequest) Format(f fmt.State, _ rune) { writeMasked(f, r.String()) }

// LogValue is String.
func (r OTPRequest) LogValue() slog.Value { return slog.StringValue(r.String()) }

// MarshalJSON writes String as a JSON string, because a list of values is logged as JSON.
func (r OTPRequest) MarshalJSON() ([]byte, error) { return jsonString(r.String()) }

// RequestOTP lets Xoxzo make a code and send it, and returns the identifier for [OTPCheck]: the otp_id of the answer, or its
// msgid, which is what is documented. Errors are as for [Client.SendSMS].
func (c *Client) RequestOTP(ctx context.Context, r OTPRequest) (otpID string, err error) {
	const op = "request otp"
	switch {
	case strings.TrimSpace(r.Website) == "":
		return "", badInput(op, "website", "must not be empty")
	case !e164(r.Recipient):
		return "", badInput(op, "phone_number", "must be E.164: + and 7 to 15 digits")
	}
	form := url.Values{"website": {r.Website}, "phone_number": {r.Recipient}}
	return c.postForID(ctx, request{op: op, path: otpRequestPath, form: form}, "otp_id", "msgid")
}

// OTPCheck is one guess at a code.
type OTPCheck struct {
	// ID is what RequestOTP returned. Required.
	ID string
	// Website and Recipient are those of the request. Give them: see [Client.VerifyOTP].
	Website, Recipient string
	// Code is what the person typed: 4 to 10 letters and digits, as they are. Required.
	Code string
}

// String hides the code and the number.
func (k OTPCheck) String() string {
	return fmt.Sprintf("xoxzo.OTPCheck(of %s)", maskNumber(k.Recipient))
}

// GoString is String.
func (k OTPCheck) GoString() string { return k.String() }

// Format writes String for every verb.
func (k OTPCheck) Format(f fmt.State, _ rune) { writeMasked(f, k.String()) }

// LogValue is String.
func (k OTPCheck) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalJSON writes String as a JSON string, because a list of values is logged as JSON.
func (k OTPCheck) MarshalJSON() ([]byte, error) { return jsonString(k.String()) }

// VerifyOTP checks a code, once: a guess is never tried again, because it is counted.
//
// true with a nil error says that the code is right, false with a nil error that it is wrong. With an error nothing is
// verified: it wraps [ErrUnclear] when the server's words are not understood.
//
// Xoxzo's two public sources disagree about the request. The reference's table of parameters begins with website and
// could not be read further; a tutorial of 2025 sends otp_id and code. So otp_id and code are always sent, and website and
// phone_number, as RequestOTP names them, when OTPCheck has them: a server that asks for either pair finds it.
//
// What the answer looks like is not documented at all, and a success of HTTP is not yet a right code. A code is taken for
// right only where a 200 or 201 says so in an object: a field verified, valid or is_valid that is true, or a message that
// consists of nothing but the news that it is verified, and nothing in the object that contradicts. It is taken for wrong
// where one of these fields is false, or where a 400 complains about the code and nothing else. Everything else is unclear.
func (c *Client) VerifyOTP(ctx context.Context, k OTPCheck) (verified bool, err error) {
	const op = "verify otp"
	switch {
	case !validID(k.ID):
		return false, badInput(op, "otp_id", "is not an identifier")
	case !codeShaped(k.Code):
		return false, badInput(op, "code", "must be 4 to 10 letters and digits")
	case k.Recipient != "" && !e164(k.Recipient):
		return false, badInput(op, "phone_number", "must be E.164: + and 7 to 15 digits")
	}
	form := url.Values{"otp_id": {k.ID}, "code": {k.Code}}
	if k.Website != "" {
		form.Set("website", k.Website)
	}
	if k.Recipient != "" {
		form.Set("phone_number", k.Recipient)
	}
	err = c.postAndRead(ctx, request{op: op, path: otpVerifyPath, form: form, text: k.Code}, func(raw json.RawMessage) (err error) {
		verified, err = verdict(raw)
		return err
	})
	var refused *Error
	if errors.As(err, &refused) && refused.Status == http.StatusBadRequest && onlyAbout(refused.Fields, "code") && refused.Detail == "" {
		return false, nil
	}
	return verified && err == nil, err
}

// codeShaped keeps out what no server could take for a code.
func codeShaped(code string) bool {
	return len(code) >= 4 && len(code) <= 10 && !strings.ContainsFunc(code, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
}

// onlyAbout reports whether name is the one field that the server complained of.
func onlyAbout(fields map[string][]string, name string) bool {
	return len(fields) == 1 && len(fields[name]) > 0
}

// verdict reads the body of a success by the rules that stand at VerifyOTP. Its error is ErrUnclear alone: a decoder's
// words may quote the body.
func verdict(raw []byte) (bool, error) {
	var object map[string]any
	if json.Unmarshal(raw, &object) != nil {
		return false, ErrUnclear
	}
	yes, no := false, false
	for _, name := range []string{"verified", "valid", "is_valid"} {
		switch v, present := object[name]; {
		case v == true:
			yes = true
		case v == false:
			no = true
		case present: // "true" or 1 are nobody's promise
			return false, ErrUnclear
		}
	}
	switch {
	case no && !yes:
		return false, nil
	case no || contradicted(object):
		return false, ErrUnclear
	case yes || saysVerified(object["message"]):
		return true, nil
	}
	return false, ErrUnclear
}

// contradicted reports whether another field of the object speaks against a right code.
func contradicted(object map[string]any) bool {
	for _, name := range []string{"error", "errors", "non_field_errors", "detail"} {
		if v := object[name]; v != nil && v != "" && v != false {
			return true
		}
	}
	for _, name := range []string{"success", "ok"} {
		if v, present := object[name]; present && v != true {
			return true
		}
	}
	status, present := object["status"]
	word, _ := status.(string)
	return present && !slices.Contains([]string{"verified", "approved", "success", "ok"}, strings.ToLower(word))
}

// saysVerified compares the whole text: a part of it would find "verified" in "could not be verified". Registering answers
// "Website registered successfully.", so "OTP verified successfully." is what is hoped for.
func saysVerified(message any) bool {
	text, _ := message.(string)
	return slices.Contains([]string{
		"verified", "verified successfully", "otp verified", "otp verified successfully", "code verified",
		"code verified successfully",
	}, strings.TrimRight(strings.ToLower(strings.TrimSpace(text)), ".!"))
}
