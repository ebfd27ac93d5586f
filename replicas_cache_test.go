//go:build unix

package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// TestReplicasCache: what one replica has kept costs no quota at another, whatever token that has, is never given without
// GitHub's word, and can be had without the store.
func TestReplicasCache(t *testing.T) {
	f := newFleet(t, 1, "1s")
	for i, p := range f.proxies {
		p.stop(t)
		text, err := os.ReadFile(f.config(i))
		if err != nil {
			t.Fatal(err)
		}
		shares := strings.Replace(string(text), "[cache]\nsize = 0\n", "[cache]\nshared = true\n", 1)
		if err := os.WriteFile(f.config(i), []byte(shares), 0o600); err != nil {
			t.Fatal(err)
		}
		f.restart(t, i)
	}
	ask := func(i int, fields ...string) (resp *http.Response, body string) {
		t.Helper()
		client := clientOf(f.addresses[i], f.roots)
		defer client.CloseIdleConnections()
		req, err := http.NewRequest("GET", "https://api.github.com/orgs/"+f.owners[0], nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(fields); i += 2 {
			req.Header.Set(fields[i], fields[i+1])
		}
		resp, err = client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp, string(text)
	}
	const hit = "ghapp-proxy; hit; detail=revalidated"
	first, body := ask(0)
	if first.StatusCode != 200 || first.Header.Get("Cache-Status") == hit {
		t.Fatalf("the first answer: %s, %q", first.Status, first.Header.Get("Cache-Status"))
	}
	f.waitForAnswers(t)
	second, again := ask(1)
	if second.Header.Get("Cache-Status") != hit || again != body || second.Header.Get("Content-Type") != first.Header.Get("Content-Type") {
		t.Errorf("the other replica: %q, %q, want %q", second.Header.Get("Cache-Status"), again, body)
	}
	f.github.RevokeAll() // another token, another ETag
	ask(0)
	third, again := ask(2, "If-None-Match", first.Header.Get("Etag"))
	if third.StatusCode != http.StatusNotModified || third.Header.Get("Etag") != first.Header.Get("Etag") {
		t.Errorf("a client with the ETag of the first replica gets %s of the third, %q, %q", third.Status, third.Header.Get("Etag"), again)
	}
	said := fmt.Sprint(f.store.Do("KEYS", "*"))
	for _, name := range strings.Fields(strings.Trim(said, "[]")) {
		if f.store.Do("TYPE", name)[0] != "string" {
			continue
		}
		if value := f.store.Do("GET", name); strings.Contains(strings.Join(value, ""), f.owners[0]) || strings.Contains(name, f.owners[0]) {
			t.Errorf("%s can be read", name)
		}
	}
	f.store.Kill()
	if alone, again := ask(1); alone.StatusCode != 200 || again != body {
		t.Errorf("without the store: %s %q", alone.Status, again)
	}
	for _, p := range f.proxies {
		p.stop(t)
	}
}

// waitForAnswers waits until an answer is in the store: what lasts for half an hour at most.
func (f *fleet) waitForAnswers(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		for _, name := range f.store.Do("KEYS", "*:v") {
			var ttl int
			if _, err := fmt.Sscan(f.store.Do("PTTL", name)[0], &ttl); err == nil && ttl > 29*60_000 && ttl <= 30*60_000 {
				return
			}
		}
	}
	t.Fatal("no answer comes into the store")
}
