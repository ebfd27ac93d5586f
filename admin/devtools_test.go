package admin_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/websocket"
)

// requireBrowserEnv fails what is skipped where Chromium is not installed.
const requireBrowserEnv = "GHAPP_PROXY_REQUIRE_BROWSER"

// browser is a page in a headless Chromium, by the Chrome DevTools Protocol.
type browser struct {
	ws *websocket.Conn
	id int
}

// open opens a page. The browser ends with the test.
func open(t *testing.T, url string) *browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv(requireBrowserEnv) != "" {
			t.Fatalf("chromium is not installed, and $%s is set", requireBrowserEnv)
		}
		t.Skip("chromium is not installed")
	}
	profile := t.TempDir()
	cmd := exec.Command(path, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions", "--no-proxy-server",
		"--user-data-dir="+profile, "--remote-debugging-port=0", "--remote-allow-origins=*", url)
	cmd.Env = append(os.Environ(), "HOME="+profile, "XDG_CONFIG_HOME="+profile, "XDG_CACHE_HOME="+profile)
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
	port := ""
	lines := bufio.NewScanner(said)
	for port == "" && lines.Scan() {
		if _, rest, ok := strings.Cut(lines.Text(), "DevTools listening on ws://127.0.0.1:"); ok {
			port, _, _ = strings.Cut(rest, "/")
		}
	}
	go io.Copy(io.Discard, said)
	b := &browser{}
	t.Cleanup(func() {
		if b.ws != nil {
			b.call(t, "Browser.close", nil)
			b.ws.Close()
		}
		cmd.Wait()
		late.Stop()
	})
	b.ws = connect(t, port, url)
	return b
}

// connect connects to the page of that URL.
func connect(t *testing.T, port, url string) *websocket.Conn {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		resp, err := http.Get("http://127.0.0.1:" + port + "/json/list")
		if err != nil {
			t.Fatal(err)
		}
		var pages []struct{ URL, WebSocketDebuggerURL string }
		err = json.NewDecoder(resp.Body).Decode(&pages)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		for _, page := range pages {
			if page.URL != url {
				continue // it is about to be loaded
			}
			ws, err := websocket.Dial(page.WebSocketDebuggerURL, "", "http://127.0.0.1")
			if err != nil {
				t.Fatal(err)
			}
			return ws
		}
	}
	t.Fatalf("Chromium has not opened %s", url)
	return nil
}

// call calls a method, and returns its result.
func (b *browser) call(t *testing.T, method string, params any) json.RawMessage {
	t.Helper()
	result, err := b.try(t, method, params)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// try is call for what may fail while the page is being loaded.
func (b *browser) try(t *testing.T, method string, params any) (json.RawMessage, error) {
	t.Helper()
	b.id++
	b.ws.SetDeadline(time.Now().Add(30 * time.Second))
	if err := websocket.JSON.Send(b.ws, map[string]any{"id": b.id, "method": method, "params": params}); err != nil {
		t.Fatalf("%s: %v", method, err)
	}
	for {
		var answer struct {
			ID            int
			Result, Error json.RawMessage
		}
		if err := websocket.JSON.Receive(b.ws, &answer); err != nil {
			if method == "Browser.close" {
				return nil, nil
			}
			t.Fatalf("%s: %v", method, err)
		}
		switch {
		case answer.ID != b.id: // an event
		case answer.Error != nil:
			return nil, fmt.Errorf("%s: %s", method, answer.Error)
		default:
			return answer.Result, nil
		}
	}
}

// eval returns what an expression comes to, as a string.
func (b *browser) eval(t *testing.T, script string) string {
	t.Helper()
	result, err := b.try(t, "Runtime.evaluate", map[string]any{"expression": "String(" + script + ")"})
	if err != nil {
		return err.Error() // until it is loaded
	}
	var got struct{ Result struct{ Value string } }
	if err := json.Unmarshal(result, &got); err != nil {
		t.Fatal(err)
	}
	return got.Result.Value
}

// until waits for an expression to contain a text.
func (b *browser) until(t *testing.T, script, text string) {
	t.Helper()
	got := ""
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if got = b.eval(t, script); strings.Contains(got, text) {
			return
		}
	}
	t.Errorf("%s is %.2000q, and never had %q", script, got, text)
}

// resize makes the window so large, and dark or light.
func (b *browser) resize(t *testing.T, width, height int, scheme string) {
	t.Helper()
	b.call(t, "Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600})
	b.call(t, "Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}})
}
