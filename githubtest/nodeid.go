package githubtest

import (
	"encoding/base64"
	"encoding/binary"
	"strings"
)

// nodeID makes a global node id of the format that GitHub issues since 2021:
// PREFIX_ and the unpadded base64url of the MessagePack array [0, ids...]. Of
// things in a repository the first id is the repository's.
// https://docs.github.com/en/graphql/guides/migrating-graphql-global-node-ids
func nodeID(prefix string, ids ...int64) string {
	b := []byte{0x90 | byte(len(ids)+1), 0} // fixarray, https://github.com/msgpack/msgpack/blob/master/spec.md
	for _, id := range ids {
		b = appendUint(b, uint64(id))
	}
	return prefix + "_" + base64.RawURLEncoding.EncodeToString(b)
}

func appendUint(b []byte, n uint64) []byte {
	switch {
	case n < 1<<7:
		return append(b, byte(n))
	case n < 1<<8:
		return append(b, 0xcc, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(b, 0xcd), uint16(n))
	case n < 1<<32:
		return binary.BigEndian.AppendUint32(append(b, 0xce), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(b, 0xcf), n)
}

// parseNodeID is the inverse of nodeID.
func parseNodeID(s string) (prefix string, ids []int64, ok bool) {
	prefix, enc, found := strings.Cut(s, "_")
	b, err := base64.RawURLEncoding.DecodeString(enc)
	if !found || err != nil || len(b) < 2 || b[0]&0xf0 != 0x90 {
		return "", nil, false
	}
	for b = b[1:]; len(b) > 0; {
		size := 0
		if b[0] >= 0xcc && b[0] <= 0xcf {
			size = 1 << (b[0] - 0xcc)
		} else if b[0] >= 0x80 {
			return "", nil, false
		}
		if len(b) < 1+size {
			return "", nil, false
		}
		n := int64(b[0])
		if size > 0 {
			n = 0
			for _, x := range b[1 : 1+size] {
				n = n<<8 | int64(x)
			}
		}
		ids = append(ids, n)
		b = b[1+size:]
	}
	return prefix, ids[1:], true
}
