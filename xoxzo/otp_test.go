package xoxzo_test

import (
	"errors"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pincall/pincall/xoxzo"
	"github.com/pincall/pincall/xoxzo/xoxzotest"
)

// requested returns a client with one live code.
func requested(t *testing.T) (*xoxzo.Client, *xoxzotest.Server, xoxzo.OTPCheck) {
	t.Helper()
	client, server := newPair(t, nil)
	if err := client.RegisterWebsite(t.Context(), xoxzo.OTPWebsite{Website: website, TemplateID: 3}); err != nil {
		t.Fatal(err)
	}
	id, err := client.RequestOTP(t.Context(), xoxzo.OTPRequest{Website: website, Recipient: number})
	if err != nil {
		t.Fatal(err)
	}
	return client, server, xoxzo.OTPCheck{ID: id, Website: website, Recipient: number, Code: server.OTPs()[0].Code}
}

// another is a code of the same length that is not code.
func another(code string) string {
	if code[0] == '9' {
		return "0" + code[1:]
	}
	return "9" + code[1:]
}

func TestOTP(t *testing.T) {
	t.Parallel()
	client, server, check := requested(t)
	ctx := t.Context()
	wrong := check
	wrong.Code = another(check.Code)
	if ok, err := client.VerifyOTP(ctx, wrong); ok || err != nil {
		t.Errorf("wrong code: %t, %v", ok, err)
	}
	stranger := check
	stranger.Recipient = second
	if ok, err := client.VerifyOTP(ctx, stranger); ok || err == nil {
		t.Errorf("another number's code: %t, %v", ok, err)
	}
	if ok, err := client.VerifyOTP(ctx, check); !ok || err != nil {
		t.Errorf("right code: %t, %v", ok, err)
	}
	if ok, err := client.VerifyOTP(ctx, check); ok || err == nil {
		t.Errorf("a second time: %t, %v", ok, err)
	}
	form := server.Requests()[2].Form
	want := url.Values{"otp_id": {check.ID}, "website": {website}, "phone_number": {number}, "code": {wrong.Code}}
	if !cmp.Equal(want, form) {
		t.Error("the form is not what both sources ask for")
	}
	if err := client.RegisterWebsite(ctx, xoxzo.OTPWebsite{Website: website}); !xoxzo.IsAlreadyRegistered(err) {
		t.Errorf("registered twice: %v", err)
	}
	if _, err := client.RequestOTP(ctx, xoxzo.OTPRequest{Website: "https://other.example.com", Recipient: number}); err == nil ||
		xoxzo.IsAlreadyRegistered(err) || xoxzo.MayHaveBeenSent(err) {
		t.Errorf("not registered: %v", err)
	}
}

func TestOTPEnds(t *testing.T) {
	t.Parallel()
	client, server, check := requested(t)
	if _, err := client.RequestOTP(t.Context(), xoxzo.OTPRequest{Website: website, Recipient: number}); err == nil {
		t.Error("two live codes for one number")
	}
	server.SetNow(func() time.Time { return time.Now().Add(xoxzotest.OTPValidity) })
	if ok, err := client.VerifyOTP(t.Context(), check); ok || err == nil {
		t.Errorf("expired: %t, %v", ok, err)
	}
	client, _, check = requested(t)
	wrong := check
	wrong.Code = another(check.Code)
	for range xoxzotest.OTPGuesses {
		if ok, err := client.VerifyOTP(t.Context(), wrong); ok || err != nil {
			t.Errorf("wrong code: %t, %v", ok, err)
		}
	}
	if ok, err := client.VerifyOTP(t.Context(), check); ok || err == nil {
		t.Errorf("after too many guesses: %t, %v", ok, err)
	}
}

func TestOTPAnswers(t *testing.T) {
	t.Parallel()
	client, server, check := requested(t)
	const right, wrong, unclear, refused = "right", "wrong", "unclear", "refused"
	for _, tc := range []struct {
		status int
		body   string
		want   string
	}{
		{200, `{"verified":true}`, right},
		{201, `{"verified":true,"message":"Welcome"}`, right},
		{200, `{"valid":true,"success":true,"status":"approved"}`, right},
		{200, `{"message":"OTP verified successfully."}`, right},
		{201, `{"message":" Verified! "}`, right},
		{200, `{"verified":false}`, wrong},
		{200, `{"verified":false,"message":"OTP verified successfully."}`, wrong},
		{400, `{"code":["Invalid code."]}`, wrong},
		{200, `{"verified":true,"valid":false}`, unclear},
		{200, `{"verified":true,"error":"expired"}`, unclear},
		{200, `{"verified":true,"status":"pending"}`, unclear},
		{200, `{"verified":true,"success":false}`, unclear},
		{200, `{"verified":"true"}`, unclear},
		{200, `{"verified":1}`, unclear},
		{200, `{"verified":null}`, unclear},
		{200, `{"Verified":true}`, unclear},
		{200, `{"success":true}`, unclear},
		{200, `{"status":"success"}`, unclear},
		{200, `{"status":"verified"}`, unclear},
		{200, `{"message":"OTP could not be verified"}`, unclear},
		{200, `{"message":"not verified"}`, unclear},
		{200, `{"message":"Success"}`, unclear},
		{200, `{"result":{"verified":true}}`, unclear},
		{200, `[{"verified":true}]`, unclear},
		{200, `true`, unclear},
		{200, `null`, unclear},
		{200, `{}`, unclear},
		{202, `{"verified":true}`, refused},
		{204, ``, refused},
		{302, `{"verified":true}`, refused},
		{400, `{"verified":true}`, refused},
		{400, `{"code":["x"],"website":["This field is required."]}`, refused},
		{400, `{"code":["x"],"detail":"y"}`, refused},
		{400, `{"otp_id":["x"]}`, refused},
		{403, `{"code":["x"]}`, refused},
		{500, `{"code":["x"]}`, refused},
	} {
		server.Fail(xoxzotest.OpVerifyOTP, xoxzotest.Fault{Status: tc.status, Body: tc.body})
		ok, err := client.VerifyOTP(t.Context(), check)
		got := wrong
		switch {
		case ok && err == nil:
			got = right
		case errors.Is(err, xoxzo.ErrUnclear):
			got = unclear
		case err != nil:
			got = refused
		}
		if got != tc.want || ok && got != right {
			t.Errorf("%d %s: %s (%t), want %s", tc.status, tc.body, got, ok, tc.want)
		}
	}
}
