// Package test tests what deploy/ and action.yml have, as far as that can be
// done offline: compose files and manifests are read by the libraries of the
// programs that take them, configurations by the proxy's own loader, and the
// Action and the GitLab job are run as a runner would, against the fake GitHub.
//
// deploy is a module of its own, so that the proxy does not depend on any of that.
package test
