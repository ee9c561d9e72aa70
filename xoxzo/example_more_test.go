package xoxzo_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/pincall/pincall/xoxzo"
	"github.com/pincall/pincall/xoxzo/xoxzotest"
)

// pair is a server for tests and a client of it. In earnest: xoxzo.New(xoxzo.ConfigFromEnv(os.Getenv)).
func pair() (*xoxzo.Client, *xoxzotest.Server) {
	server := xoxzotest.New(nil)
	client, err := xoxzo.New(xoxzo.Config{SID: server.SID, AuthToken: server.AuthToken, BaseURL: server.URL})
	if err != nil {
		panic(err) // the address of a test server is a valid one
	}
	return client, server
}

func ExampleClient_CallConference() {
	client, server := pair()
	defer server.Close()
	ctx := context.Background()

	ref, err := client.CallConference(ctx, xoxzo.ConferenceCall{
		Caller: "60312345678", Participants: []string{"+818054695209", "+815012345678"},
	})
	if err != nil {
		fmt.Println(err, "may ring:", xoxzo.MayHaveBeenSent(err))
		return
	}
	for { // in earnest: wait a second or two between reads, and set a limit
		conference, err := client.Conference(ctx, ref.ID)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(len(conference.Legs), conference.Status, conference.Ended())
		if conference.Ended() {
			return
		}
	}
	// Output:
	// 2 IN_PROGRESS false
	// 2 ANSWERED false
	// 2 ANSWERED true
}

func ExampleClient_SentSMS() {
	client, server := pair()
	defer server.Close()
	ctx := context.Background()
	_, err := client.SendSMS(ctx, xoxzo.SMS{Message: "Hello", Recipient: "+818054695209", Sender: "Example"})
	if err != nil {
		fmt.Println(err)
		return
	}

	week := xoxzo.SentFilter{Op: xoxzo.SentFrom, Date: time.Now().AddDate(0, 0, -7)}
	messages, err := client.SentSMS(ctx, week)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, m := range messages {
		fmt.Println(m.Status, m.Cost, m.Sender)
	}
	// Output: QUEUED 10 Example
}

func ExampleClient_SendTemplateSMS() {
	client, server := pair()
	defer server.Close()
	ctx := context.Background()

	templates, err := client.Templates(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, t := range templates {
		if !t.Usable() {
			continue
		}
		_, err := client.SendTemplateSMS(ctx, xoxzo.TemplateSMS{
			TemplateID: t.ID, Sender: "Example", Recipient: "+818054695209",
			Variables: map[string]string{"name": "Hanako", "order_number": "A-17"},
		})
		fmt.Println(t.Name, err)
	}
	// Output: Welcome SMS <nil>
}

func ExampleClient_LookUpCarrier() {
	client, server := pair()
	defer server.Close()
	server.SetNetwork("+818054695209", xoxzotest.Network{MCC: "440", MNC: "54", Carrier: "KDDI", Country: "JP"})

	for _, number := range []string{"+818054695209", "+81312345678"} {
		carrier, err := client.LookUpCarrier(context.Background(), number)
		fmt.Println(carrier.Known(), carrier.Name, carrier.MCCMNC, err)
	}
	// Output:
	// true KDDI 44054 <nil>
	// false   <nil>
}

func ExampleClient_VerifyOTP() {
	client, server := pair()
	defer server.Close()
	ctx := context.Background()
	const website = "https://www.example.com"
	if err := client.RegisterWebsite(ctx, xoxzo.OTPWebsite{Website: website}); err != nil && !xoxzo.IsAlreadyRegistered(err) {
		fmt.Println(err)
		return
	}

	id, err := client.RequestOTP(ctx, xoxzo.OTPRequest{Website: website, Recipient: "+818054695209"})
	if err != nil {
		fmt.Println(err)
		return
	}
	typed := server.OTPs()[0].Code // in earnest: what the person types
	verified, err := client.VerifyOTP(ctx, xoxzo.OTPCheck{ID: id, Website: website, Recipient: "+818054695209", Code: typed})
	switch {
	case err != nil: // refused, lost, or not understood: not verified
		fmt.Println(err)
	default:
		fmt.Println("verified:", verified)
	}
	// Output: verified: true
}

func ExampleClient_SubscribeDIN() {
	client, server := pair()
	defer server.Close()
	ctx := context.Background()

	numbers, err := client.DINs(ctx, xoxzo.NumberFilter{Country: "JP"})
	if err != nil {
		fmt.Println(err)
		return
	}
	cheapest := numbers[0]
	for _, n := range numbers {
		if n.MonthlyCost < cheapest.MonthlyCost {
			cheapest = n
		}
	}
	if err := client.SubscribeDIN(ctx, cheapest.UID); err != nil { // the month is charged now
		fmt.Println(err)
		return
	}
	rented, err := client.DINSubscriptions(ctx)
	fmt.Println(len(rented), rented[0], err)
	fmt.Println(client.UnsubscribeDIN(ctx, cheapest.UID))
	// Output:
	// 1 xoxzo.Subscription(xoxzo.Number(JPafr34rafic76tf, ***78), action false) <nil>
	// <nil>
}

func ExampleClient_SubscribeSIN() {
	client, server := pair()
	defer server.Close()
	ctx := context.Background()

	numbers, err := client.SINs(ctx, xoxzo.NumberFilter{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(client.SubscribeSIN(ctx, numbers[0].UID))
	fmt.Println(client.SetSINAction(ctx, numbers[0].UID, "https://www.example.com/sms"))
	// Output:
	// <nil>
	// <nil>
}

// An action URL chooses what a caller hears.
func ExampleActionPlayback() {
	client, server := pair()
	defer server.Close()
	ctx := context.Background()
	welcome, err := xoxzo.ActionPlayback("http://www.example.com/welcome.mp3")
	if err != nil {
		fmt.Println(err)
		return
	}
	action := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		call, err := xoxzo.ParseIncoming(r)
		if err != nil {
			http.Error(w, "not a call", http.StatusBadRequest)
			return
		}
		fmt.Println(call)
		welcome.ServeHTTP(w, r)
	}))
	defer action.Close()
	const uid = "JPafr34rafic76tf"
	if err := client.SubscribeDIN(ctx, uid); err != nil {
		fmt.Println(err)
		return
	}
	if err := client.SetDINAction(ctx, uid, action.URL+"/din?key=of-your-own"); err != nil {
		fmt.Println(err)
		return
	}

	fmt.Println(server.Ring(ctx, "815012345678", "818054695209")) // somebody calls
	// Output:
	// xoxzo.Incoming(from ***09, to ***78)
	// http://www.example.com/welcome.mp3 <nil>
}
