package admin

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"sync"
	"time"

	"ghapp-proxy/panics"
)

const (
	// maxListeners is how many browsers are kept up to date at once; others load anew.
	maxListeners = 16
	// updateEvery is how often they are told, if something has changed; less often where
	// that would take more than a part of one CPU, one in updateShare.
	updateEvery = time.Second
	updateShare = 200
	// listenFor is how long one is told before it has to ask again.
	listenFor = time.Hour
	// maxExplained bounds the parts of a question.
	maxExplained = 4 << 10
)

//go:embed page.html
var pageText string

//go:embed page.css
var pageStyle template.CSS

//go:embed page.js
var pageScript template.JS

// pagePolicy is the policy of the page: its own style and script, by their hashes.
var pagePolicy = policy + "; style-src '" + hashOf(string(pageStyle)) + "'; script-src '" + hashOf(string(pageScript)) + "'; connect-src 'self'; img-src data:"

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// sections are the parts of the page that change; their names are its ids.
var sections = []string{"problems", "totals", "apps", "clients", "grants", "requests"}

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"ago":   func(t time.Time) string { return minutes(time.Since(t)) },
	"left":  func(t time.Time) string { return minutes(time.Until(t)) },
	"clock": func(t time.Time) string { return t.Format("15:04:05") },
	"size":  size,
}).Parse(pageText))

// size is a number of bytes for people.
func size(n any) string {
	bytes, units := 0.0, []string{"bytes", "KiB", "MiB", "GiB", "TiB"}
	switch n := n.(type) {
	case int64:
		bytes = float64(n)
	case uint64:
		bytes = float64(n)
	}
	for bytes >= 1024 && len(units) > 1 {
		bytes, units = bytes/1024, units[1:]
	}
	if bytes >= 100 {
		return fmt.Sprintf("%.0f %s", bytes, units[0])
	}
	return fmt.Sprintf("%.3g %s", bytes, units[0])
}

// servePage is the page as it is now, without a script as well.
func (s *Server) servePage(w http.ResponseWriter, r *http.Request) {
	var page bytes.Buffer
	if err := pageTemplate.ExecuteTemplate(&page, "page", s.view(time.Now())); err != nil {
		s.opts.Log.Error("the page cannot be made", "error", err)
		http.Error(w, "the page cannot be made: see the log", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Security-Policy", pagePolicy)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Write(page.Bytes())
}

// serveExplain says what a request would get.
func (s *Server) serveExplain(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	client, method, target := q.Get("client"), q.Get("method"), q.Get("url")
	if len(client)+len(method)+len(target) > maxExplained {
		http.Error(w, "that is too long", http.StatusRequestURITooLong)
		return
	}
	text, err := s.opts.Explain(client, method, target)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	io.WriteString(w, text)
}

// feed renders the sections once for all who listen. The zero value has nobody.
type feed struct {
	mu        sync.Mutex
	listeners map[chan []byte]struct{}
	last      map[string]string // as they were sent
	stop      chan struct{}
}

// join adds a listener, or reports that there are too many. The first one starts the
// rendering, and the last one that leaves ends it.
func (f *feed) join(run func(stop chan struct{})) (chan []byte, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.listeners) >= maxListeners {
		return nil, false
	}
	if f.listeners == nil {
		f.listeners = make(map[chan []byte]struct{})
	}
	updates := make(chan []byte, 1)
	if text, err := json.Marshal(f.last); err == nil && f.last != nil && len(f.listeners) > 0 {
		updates <- text // it may have changed since the page was made
	}
	f.listeners[updates] = struct{}{}
	if len(f.listeners) == 1 {
		f.stop, f.last = make(chan struct{}), nil
		go run(f.stop)
	}
	return updates, true
}

func (f *feed) leave(updates chan []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.listeners, updates)
	if len(f.listeners) == 0 {
		close(f.stop)
	}
}

// tell sends what has changed. Who has not taken the update before gets all of it later.
func (f *feed) tell(now map[string]string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	changed := make(map[string]string)
	for name, text := range now {
		if f.last[name] != text {
			changed[name] = text
		}
	}
	f.last = now
	if len(changed) == 0 {
		return nil
	}
	some, err := json.Marshal(changed)
	if err != nil {
		return err
	}
	var all []byte
	for updates := range f.listeners {
		select {
		case updates <- some:
			continue
		case <-updates: // it is behind
		}
		if all == nil {
			if all, err = json.Marshal(now); err != nil {
				return err
			}
		}
		updates <- all // there is room: only we send
	}
	return nil
}

// update renders and tells until stop is closed.
func (s *Server) update(stop chan struct{}) {
	defer panics.Log(s.opts.Log, "the page is not updated any more")
	for {
		began := time.Now()
		now, err := s.render()
		if err == nil {
			err = s.feed.tell(now)
		}
		if err != nil {
			s.opts.Log.Error("the page cannot be made", "error", err)
		}
		next := time.NewTimer(max(updateEvery, updateShare*time.Since(began)))
		select {
		case <-next.C:
		case <-stop:
			next.Stop()
			return
		}
	}
}

// render makes the sections.
func (s *Server) render() (map[string]string, error) {
	v, now := s.view(time.Now()), make(map[string]string, len(sections))
	for _, name := range sections {
		var text bytes.Buffer
		if err := pageTemplate.ExecuteTemplate(&text, name, v); err != nil {
			return nil, err
		}
		now[name] = text.String()
	}
	return now, nil
}

// serveLive sends what changes as server-sent events: WHATWG, "HTML", section 9.2.
func (s *Server) serveLive(w http.ResponseWriter, r *http.Request) {
	updates, ok := s.feed.join(s.update)
	if !ok {
		w.Header().Set("Retry-After", "30")
		http.Error(w, fmt.Sprintf("%d pages are open already: load this one anew", maxListeners), http.StatusServiceUnavailable)
		return
	}
	defer s.feed.leave(updates)
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	_ = out.SetReadDeadline(time.Time{}) // that of the server would end it
	send := func(format string, args ...any) bool {
		_ = out.SetWriteDeadline(time.Now().Add(answerTimeout))
		_, err := fmt.Fprintf(w, format, args...)
		return err == nil && out.Flush() == nil
	}
	if r.Method == http.MethodHead || !send("retry: 5000\n\n") {
		return
	}
	beat, end := time.NewTicker(answerTimeout/2), time.NewTimer(listenFor)
	defer beat.Stop()
	defer end.Stop()
	for alive := true; alive; {
		select {
		case update := <-updates:
			alive = send("data: %s\n\n", update)
		case <-beat.C:
			alive = send(": still here\n\n")
		case <-end.C:
			return
		case <-r.Context().Done():
			return
		}
	}
}
