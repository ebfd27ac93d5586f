package panics_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"ghapp-proxy/panics"
)

var errBroken = errors.New("broken")

func explode() { panic(errBroken) }

func TestCatch(t *testing.T) {
	work := func() (err error) {
		defer panics.Catch(&err)
		explode()
		return nil
	}
	err := work()
	fault, ok := errors.AsType[*panics.Fault](err)
	if !ok || !errors.Is(err, errBroken) || !strings.Contains(err.Error(), "a fault of ghapp-proxy: broken") {
		t.Fatalf("error %v, want a fault that wraps %v", err, errBroken)
	}
	if !bytes.Contains(fault.Stack, []byte("panics_test.explode")) {
		t.Errorf("the stack does not say where it was:\n%s", fault.Stack)
	}
	quiet := func() (err error) {
		defer panics.Catch(&err)
		return errBroken
	}
	if err := quiet(); err != errBroken {
		t.Errorf("the error of a function that does not panic is %v, want %v", err, errBroken)
	}
}

func TestLog(t *testing.T) {
	var text bytes.Buffer
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer panics.Log(slog.New(slog.NewTextHandler(&text, nil)), "renew a token")
		explode()
	}()
	<-done
	for _, want := range []string{"level=ERROR", `msg="renew a token"`, "a fault of ghapp-proxy: broken", "panics_test.explode"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the log does not contain %q:\n%s", want, &text)
		}
	}
}
