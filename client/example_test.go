package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/pincall/pincall/client"
)

// A sign-up: start when the person has given a number, check what they type.
func Example() {
	srv := httptest.NewServer(http.HandlerFunc(standIn))
	defer srv.Close()
	ctx := context.Background()

	c, err := client.New(client.Config{BaseURL: srv.URL, Key: "pck_example"})
	if err != nil {
		fmt.Println(err)
		return
	}
	v, err := c.Start(ctx, client.StartRequest{To: "+14155550100", Brand: "Acme", Locale: "en"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(v.Status, "with", v.Remaining, "guesses")

	got, err := c.Check(ctx, v.ID, client.CheckRequest{Code: "054 213"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(got.Status, got.Valid)
	// Output:
	// pending with 5 guesses
	// approved true
}

// What the server refuses has a code for programs and a sentence for people.
func ExampleError() {
	srv := httptest.NewServer(http.HandlerFunc(standIn))
	defer srv.Close()

	c, err := client.New(client.Config{BaseURL: srv.URL, Key: "pck_example"})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = c.Get(context.Background(), "unknown")
	var refused *client.Error
	if errors.As(err, &refused) {
		fmt.Println(refused.Status, refused.Code)
	}
	fmt.Println(err)
	// Output:
	// 404 not_found
	// get verification: not_found: there is no such verification
}

// An operation that must survive a restart of the caller is named by it.
func ExampleWithIdempotencyKey() {
	srv := httptest.NewServer(http.HandlerFunc(standIn))
	defer srv.Close()

	c, err := client.New(client.Config{BaseURL: srv.URL, Key: "pck_example"})
	if err != nil {
		fmt.Println(err)
		return
	}
	req := client.StartRequest{To: "+14155550100"}
	v, err := c.Start(context.Background(), req, client.WithIdempotencyKey("signup-4711"))
	fmt.Println(v.ID, err)
	// Output: v1 <nil>
}

// standIn answers as a server would.
func standIn(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodPost && r.URL.Path == "/v1/verifications":
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"id":"v1","status":"pending","remaining":5}`)
	case strings.HasSuffix(r.URL.Path, "/check"):
		_, _ = io.WriteString(w, `{"status":"approved","valid":true,"remaining":5}`)
	default:
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"status":404,"code":"not_found","detail":"there is no such verification"}`)
	}
}
