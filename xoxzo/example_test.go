package xoxzo_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/pincall/pincall/xoxzo"
	"github.com/pincall/pincall/xoxzo/xoxzotest"
)

// A code is read aloud so that the person can write it down: the warning first, a pause, every digit a word of its own,
// all of it twice, and the voice's language that of the text.
func ExampleClient_CallTTSPlayback() {
	server := xoxzotest.New(nil) // in earnest: xoxzo.New(xoxzo.ConfigFromEnv(os.Getenv))
	defer server.Close()
	client, err := xoxzo.New(xoxzo.Config{SID: server.SID, AuthToken: server.AuthToken, BaseURL: server.URL})
	if err != nil {
		fmt.Println(err)
		return
	}

	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000)) // unbiased, from the system's generator
	if err != nil {
		fmt.Println(err)
		return
	}
	callID, err := client.CallTTSPlayback(context.Background(), xoxzo.TTSPlayback{
		Caller:    "815012345678",
		Recipient: "+818054695209",
		Message:   spoken(fmt.Sprintf("%06d", n)), // leading zeros are digits too
		Lang:      "en",
	})
	switch {
	case err == nil:
		fmt.Println("accepted:", callID != "")
	case xoxzo.MayHaveBeenSent(err):
		fmt.Println("the telephone may ring: do not ask again")
	default:
		fmt.Println(err)
	}
	// Output: accepted: true
}

// spoken composes the message for the ear.
func spoken(code string) string {
	words := []string{"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"}
	var digits []string
	for _, d := range code {
		digits = append(digits, "number "+words[d-'0'])
	}
	read := strings.Join(digits, ", ")
	return "Hello. This is Example. Do not tell anyone the code that you are going to hear. " +
		", , , Your code is: " + read + ". , , I repeat. Your code is: " + read + ". Thank you. Good bye."
}

func ExampleClient_Call() {
	server := xoxzotest.New(nil)
	defer server.Close()
	server.ScriptCalls("+818054695209", xoxzotest.Life{Statuses: []string{"IN_PROGRESS", "NO_ANSWER"}})
	client, _ := xoxzo.New(xoxzo.Config{SID: server.SID, AuthToken: server.AuthToken, BaseURL: server.URL})
	ctx := context.Background()

	id, err := client.CallSimplePlayback(ctx, xoxzo.RecordingPlayback{
		Caller: "815012345678", Recipient: "+818054695209", RecordingURL: "http://www.example.com/welcome.mp3",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for { // in earnest: wait a second or two between reads, and set a limit
		call, err := client.Call(ctx, id)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(call.Status, call.Ended())
		if call.Ended() {
			return
		}
	}
	// Output:
	// IN_PROGRESS false
	// NO_ANSWER true
}

func ExampleClient_SendSMS() {
	server := xoxzotest.New(nil)
	defer server.Close()
	client, _ := xoxzo.New(xoxzo.Config{SID: server.SID, AuthToken: server.AuthToken, BaseURL: server.URL})

	_, err := client.SendSMS(context.Background(), xoxzo.SMS{
		Message: "Hello from Example", Recipient: "+8108054695209", Sender: "Example", // the trunk 0 was kept
	})
	var refused *xoxzo.Error
	if errors.As(err, &refused) {
		fmt.Println(refused.Status, refused.Fields["recipient"], xoxzo.MayHaveBeenSent(err))
	}
	// Output: 400 [Enter a valid phone number in E.164 format.] false
}

func ExampleNew() {
	_, err := xoxzo.New(xoxzo.ConfigFromEnv(func(string) string { return "" })) // in earnest: os.Getenv
	fmt.Println(err)
	// Output: xoxzo: no credentials: set Config.SID and Config.AuthToken (environment: XOXZO_API_SID and XOXZO_API_AUTH_TOKEN)
}
