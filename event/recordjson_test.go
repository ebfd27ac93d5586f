package event

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"ghapp-proxy/internal/racetest"
)

// TestRecordJSON: records are written as encoding/json and PlainJSON would.
func TestRecordJSON(t *testing.T) {
	for range 2000 {
		var r Record
		fill(reflect.ValueOf(&r).Elem())
		want, err := json.Marshal(&r)
		if err != nil {
			t.Fatal(err)
		}
		want = PlainJSON(want)
		got, err := r.appendTo([]byte("before"))
		if err != nil || string(got) != "before"+string(want) {
			t.Fatalf("%v\n%s\nwant before\n%s", err, got, want)
		}
	}
	if _, err := (&Record{Time: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}).appendTo(nil); err == nil {
		t.Error("a time that RFC 3339 does not have is written")
	}
}

// texts are such as JSON, HTML and terminals treat apart.
var texts = []string{
	"", "plain", "a space, and ~", `"quoted\"`, "<b>&amp;</b>", "\x00\x1b[2J\n\t", "\x7f", "ü€😀", "\u009b\u202e\u2028\u2029", "\xff\xc3", "\U000e0001", "long and not long enough to be cut",
}

// fill gives a value, and what it has, anything: half of it nothing.
func fill(v reflect.Value) {
	if rand.IntN(2) == 0 {
		return
	}
	switch at := v.Addr().Interface().(type) {
	case *time.Time:
		*at = time.Unix(rand.Int64N(1<<36), rand.Int64N(1e9)*rand.Int64N(2)).UTC()
		return
	case *float64:
		*at = float64(time.Duration(rand.Int64N(1<<rand.IntN(63))).Microseconds()) / 1000
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(texts[rand.IntN(len(texts))])
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(rand.Int64N(1 << 40))
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), rand.IntN(3), 3))
		for i := range v.Len() {
			fill(v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Map:
		v.Set(reflect.ValueOf(map[string]string{"ref": texts[rand.IntN(len(texts))], "actor<": "x"}))
	default:
		panic(v.Kind())
	}
}

// TestRecordAllocates: a record of a request takes no memory of its own.
func TestRecordAllocates(t *testing.T) {
	if racetest.Enabled {
		t.Skip("pools forget with the race detector")
	}
	line := make([]byte, 0, maxLine)
	if n := testing.AllocsPerRun(100, func() {
		r := recordOf(&one)
		if _, err := r.appendTo(line); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
