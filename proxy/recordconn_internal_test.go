package proxy

import (
	"bytes"
	"io"
	"net"
	"testing"
)

// supply is a connection that always has as much as is read, until its end.
type supply struct {
	net.Conn
	bytes.Reader
	largest int // that was read at once
}

func (s *supply) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	s.largest = max(s.largest, n)
	return n, err
}

// records returns n records, each with another text of that size.
func records(n, size int) []byte {
	var all bytes.Buffer
	for i := range n {
		all.Write([]byte{23, 3, 3, byte(size >> 8), byte(size)})
		all.Write(bytes.Repeat([]byte{byte(i)}, size))
	}
	return all.Bytes()
}

// What comes fast is read several records at a time, but is given one record at a time;
// the buffer for that is kept no longer than until nothing more is to come.
func TestRecordConnInBulk(t *testing.T) {
	for _, size := range []int{1, 100, 1000, maxPlaintext} {
		sent := records(8<<20/(size+5), size)
		under := &supply{}
		under.Reset(sent)
		c := &recordConn{Conn: under}
		var got bytes.Buffer
		buf := make([]byte, recordSize)
		for inRecord := 0; ; {
			n, err := c.Read(buf)
			if err == io.EOF {
				break
			}
			got.Write(buf[:n])
			if inRecord += n; inRecord > size+5 {
				t.Fatalf("records of %d octets: one Read had parts of two", size)
			}
			inRecord %= size + 5
		}
		if !bytes.Equal(got.Bytes(), sent) {
			t.Errorf("records of %d octets: others arrived", size)
		}
		if under.largest < bulkSize/2 || c.bulk == nil {
			t.Errorf("records of %d octets: %d were the most that was read at once", size, under.largest)
		}
		if c.rest(); c.bulk != nil || c.pending() {
			t.Errorf("records of %d octets: the large buffer is kept", size)
		}
		under.Reset(sent)
		if n, err := io.Copy(io.Discard, c); n != int64(len(sent)) || err != nil {
			t.Errorf("records of %d octets: after that %d octets, %v", size, n, err)
		}
	}
}

// An answer that is not large is read without the large buffer, however fast it comes; and
// what has come and was not given stays.
func TestRecordConnKeepsLittle(t *testing.T) {
	under := &supply{}
	c := &recordConn{Conn: under}
	for range 100 {
		under.Reset(records(6, maxPlaintext))
		if n, err := io.CopyN(io.Discard, c, 6*(maxPlaintext+5)); err != nil {
			t.Fatal(n, err)
		}
		if c.rest(); c.bulk != nil {
			t.Fatal("the large buffer was borrowed")
		}
	}
	under.Reset(records(100, maxPlaintext))
	io.CopyN(io.Discard, c, 50*(maxPlaintext+5))
	if c.rest(); c.bulk == nil || !c.pending() {
		t.Fatal("what was not given is lost")
	}
	if n, err := io.Copy(io.Discard, c); n != 50*(maxPlaintext+5) || err != nil {
		t.Error(n, err)
	}
}
