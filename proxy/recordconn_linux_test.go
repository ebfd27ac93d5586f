package proxy

import (
	"net/http"
	"testing"
)

// A kept connection has given the large buffer back.
func TestBulkIsGivenBack(t *testing.T) {
	t.Parallel()
	const size = 8 << 20
	u, _ := startNoting(t, silence, false, func(w http.ResponseWriter, r *http.Request) { w.Write(make([]byte, size)) })
	body, err := ask(t, u, "GET", nil)
	if len(body) != size || err != nil {
		t.Fatal(len(body), err)
	}
	kept := u.served.kept.idle["example.com"]
	if len(kept) != 1 || kept[0].records.bulk != nil {
		t.Errorf("%d connections are kept, or one with a large buffer", len(kept))
	}
}

// A request leaves in one record, also the first of a connection.
func TestRequestIsOneRecord(t *testing.T) {
	t.Parallel()
	u, _ := startNoting(t, silence, false, func(w http.ResponseWriter, r *http.Request) {})
	if _, err := ask(t, u, "GET", nil); err != nil {
		t.Fatal(err)
	}
	conn := u.served.kept.idle["example.com"][0]
	under := &writesNoted{Conn: conn.records.Conn}
	conn.records.Conn = under
	if conn.Write(make([]byte, 4<<10)); len(under.writes) != 1 {
		t.Errorf("4 KiB leave in records of %v", under.writes)
	}
}
