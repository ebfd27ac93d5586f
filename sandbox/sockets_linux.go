package sandbox

import (
	"os"
	"strings"
)

// OutsideSockets are the files of the Unix sockets that processes of this network namespace listen on
// (proc(5), /proc/net/unix): whoever sees one may connect to it, also where nothing can be written.
func OutsideSockets() []string {
	text, err := os.ReadFile("/proc/net/unix")
	if err != nil {
		return nil
	}
	var paths []string
	for line := range strings.Lines(string(text)) {
		if _, path, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " /"); ok { // an abstract name has no slash, or an @ before it
			paths = append(paths, "/"+path)
		}
	}
	return paths
}
