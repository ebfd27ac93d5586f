// Man writes the manual pages of ghapp-proxy, one for each command, into a
// directory:
//
//	go run ./man DIR
//
// They are dated by SOURCE_DATE_EPOCH, so that they are the same each time.
package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"ghapp-proxy/cli"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: man DIR")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "man:", err)
		os.Exit(1)
	}
}

func write(dir string) error {
	header := &doc.GenManHeader{Section: "1", Source: "ghapp-proxy", Manual: "ghapp-proxy"}
	if epoch := os.Getenv("SOURCE_DATE_EPOCH"); epoch != "" {
		seconds, err := strconv.ParseInt(epoch, 10, 64)
		if err != nil {
			return fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
		}
		date := time.Unix(seconds, 0).UTC()
		header.Date = &date
	}
	root := cli.Command()
	root.DisableAutoGenTag = true
	root.InitDefaultCompletionCmd()
	prepare(root)
	return doc.GenManTree(root, header, dir)
}

// prepare makes the texts of a command and those below it Markdown, which GenMan
// takes them for: there lines are kept if they are indented by four.
func prepare(cmd *cobra.Command) {
	lines := strings.Split(cmd.Long, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "  ") {
			lines[i] = "  " + line
		}
	}
	cmd.Long = strings.Join(lines, "\n")
	for _, sub := range cmd.Commands() {
		prepare(sub)
	}
}
