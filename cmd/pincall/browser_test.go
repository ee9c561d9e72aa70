package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/pincall/pincall/internal/app"
)

// browserPatience bounds what a test does in the browser.
const browserPatience = 58 * time.Second

// otherName is a name that only the tests' browser takes for this machine.
const otherName = "phones.test"

// tab is the phone's page in a browser without a window, beside the whole
// program. Every complaint of the browser fails the test.
type tab struct {
	t      *testing.T
	ctx    context.Context //nolint:containedctx // chromedp's browser is its context
	origin string

	mu       sync.Mutex
	problems []string
}

// openPhone starts the program at a pace of its simulator, and opens the page.
func openPhone(t *testing.T, pace string) *tab {
	t.Helper()
	browser := findBrowser(t)
	address, _ := servePhones(t, pace)
	tb := openTab(t, browser, "http://"+address)
	tb.do(chromedp.WaitVisible(chromedp.CSS("#start-button")))
	tb.connected()
	return tb
}

// openTab opens the page at an origin.
func openTab(t *testing.T, browser, origin string) *tab {
	t.Helper()
	tb := &tab{t: t, origin: origin}
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(browser), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("autoplay-policy", "no-user-gesture-required"),
		chromedp.Flag("host-resolver-rules", "MAP "+otherName+" 127.0.0.1"),
	)
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, quit := chromedp.NewContext(allocator)
	t.Cleanup(quit)
	if err := chromedp.Listen(ctx, tb.watch); err != nil {
		t.Fatal(err)
	}
	var cancel context.CancelFunc
	tb.ctx, cancel = context.WithTimeout(ctx, browserPatience)
	t.Cleanup(cancel)
	tb.do(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, network.Enable, network.EnableParams{})
		return err
	}), chromedp.EmulateViewport(1280, 860), chromedp.Navigate(tb.origin+"/phone"))
	return tb
}

// connected waits until the page is told what phones do.
func (tb *tab) connected() {
	tb.t.Helper()
	tb.until("the page is connected", `document.getElementById("link").dataset.state === "live"`)
}

// findBrowser skips the test where there is none, but for CI, which must have one.
func findBrowser(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("there is no chromium: scripts/deps installs it")
	}
	t.Skip("there is no chromium to show the page: install it to run this test")
	return ""
}

// servePhones runs the program and gives its address and its data folder.
func servePhones(t *testing.T, pace string) (address, data string) {
	t.Helper()
	data = t.TempDir()
	config := "stop_after: 100ms\nsim:\n  pace: " + pace + "\n"
	if err := os.WriteFile(filepath.Join(data, "pincall.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return serveFolder(t, data), data
}

// serveFolder runs the program on a data folder, and gives its address.
func serveFolder(t *testing.T, data string) (address string) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	server := begin(ctx, data, "serve", "--listen", "127.0.0.1:0")
	t.Cleanup(func() {
		stop()
		server.wait(t, exitOK)
	})
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if _, ok := app.RunningServer(data); ok {
			server.out.waitFor(t, "listens on")
			return strings.TrimPrefix(strings.Fields(server.out.lines()[0])[3], "http://")
		}
	}
	t.Fatal("the server does not start")
	return ""
}

// watch keeps what a page without faults never causes.
func (tb *tab) watch(event any) {
	problem := ""
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		problem = "console: " + string(e.Type)
	case *runtime.EventExceptionThrown:
		problem = "exception: " + e.ExceptionDetails.Text
	case *log.EventEntryAdded:
		problem = fmt.Sprintf("log: %s: %s", e.Entry.Level, e.Entry.Text)
	case *network.EventRequestWillBeSent:
		if u := e.Request.URL; !strings.HasPrefix(u, tb.origin+"/") && !strings.HasPrefix(u, "data:image/") {
			problem = "a request left the origin"
		}
	}
	if problem == "" {
		return
	}
	tb.mu.Lock()
	defer tb.mu.Unlock()
	tb.problems = append(tb.problems, problem)
}

// clean fails the test for what the browser complained about.
func (tb *tab) clean() {
	tb.t.Helper()
	tb.mu.Lock()
	defer tb.mu.Unlock()
	for _, p := range tb.problems {
		tb.t.Error(p)
	}
}

func (tb *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	tb.t.Helper()
	if err := chromedp.Do(tb.ctx, steps...); err != nil {
		tb.t.Fatal(err)
	}
}

func (tb *tab) click(selector string) {
	tb.t.Helper()
	tb.do(chromedp.Click(chromedp.CSS(selector)))
}

// key types on the keyboard, wherever the focus is.
func (tb *tab) key(keys string) {
	tb.t.Helper()
	tb.do(chromedp.KeyEvent(keys))
}

// fill replaces what a field holds, as a person types it.
func (tb *tab) fill(selector, text string) {
	tb.t.Helper()
	tb.do(chromedp.Evaluate[chromedp.Void]("document.querySelector("+strconv.Quote(selector)+").value = ''"),
		chromedp.SendKeys(chromedp.CSS(selector), text))
}

// until waits for a condition in JavaScript. what is told if it does not come.
func (tb *tab) until(what, condition string) {
	tb.t.Helper()
	for tb.ctx.Err() == nil {
		if evaluate[bool](tb, condition) {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	tb.clean()
	tb.t.Fatalf("it does not come that %s", what)
}

// evaluate gives the value of an expression in the page.
func evaluate[T any](tb *tab, expression string) T {
	tb.t.Helper()
	got, err := chromedp.Run(tb.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil && tb.ctx.Err() == nil {
		tb.t.Fatal(err)
	}
	return got
}

// picture writes what is to be seen into the folder that PHONE_PICTURES
// names, if it does, for somebody to look at.
func (tb *tab) picture(name string) {
	tb.t.Helper()
	folder := os.Getenv("PHONE_PICTURES")
	if folder == "" {
		return
	}
	png, err := chromedp.Run(tb.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		tb.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, name+".png"), png, 0o600); err != nil {
		tb.t.Fatal(err)
	}
}
