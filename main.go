// Ghapp-proxy is a forward proxy that gives unmodified tools GitHub App
// authentication. See README.md, or run it with --help.
package main

import (
	"os"

	"ghapp-proxy/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:])) }
