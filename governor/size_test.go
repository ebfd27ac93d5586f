package governor

import (
	"testing"
	"unsafe"
)

// TestBucketIsSmall: there is one for each installation, of which there may be 15,000.
func TestBucketIsSmall(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) != 8 {
		t.Skip("the size is that of machines of 64 bits")
	}
	if size := unsafe.Sizeof(Bucket{}); size > 768 { // one of the sizes that the runtime gives
		t.Errorf("a Bucket has %d bytes", size)
	}
}
