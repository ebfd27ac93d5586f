package test

import (
	"maps"
	"slices"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

// loadCompose reads compose.yaml as docker compose does: by its schema, with its
// env_file.
func loadCompose(t *testing.T, more ...string) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions(append([]string{"../compose.yaml"}, more...), cli.WithConsistency(true), cli.WithResolvedPaths(true))
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return project
}

// TestComposeSandbox: the agent has one network, which leads nowhere but to the
// proxy, and nothing of the proxy's files.
func TestComposeSandbox(t *testing.T) {
	project := loadCompose(t)
	sandbox := project.Networks["sandbox"]
	if !sandbox.Internal || sandbox.DriverOpts["com.docker.network.bridge.gateway_mode_ipv4"] != "isolated" {
		t.Errorf("the sandbox leads out: %+v", sandbox)
	}
	agent, proxy := project.Services["agent"], project.Services["proxy"]
	if got := slices.Collect(maps.Keys(agent.Networks)); !slices.Equal(got, []string{"sandbox"}) || agent.NetworkMode != "" {
		t.Errorf("the agent is on %v %q", got, agent.NetworkMode)
	}
	if got := slices.Sorted(maps.Keys(proxy.Networks)); !slices.Equal(got, []string{"outside", "sandbox"}) || len(proxy.Ports) > 0 {
		t.Errorf("the proxy is on %v, and publishes %v", got, proxy.Ports)
	}
	if proxy.Sysctls["net.ipv4.ip_forward"] != "0" {
		t.Errorf("the proxy forwards what is sent past it: %v", proxy.Sysctls)
	}
	if len(agent.Secrets) > 0 || agent.Privileged || agent.Pid != "" {
		t.Errorf("the agent can get at the key: %+v", agent)
	}
	for _, v := range agent.Volumes {
		if v.Type != types.VolumeTypeVolume || v.Source != "trust" || !v.ReadOnly {
			t.Errorf("the agent has %+v", v)
		}
	}
	for name, service := range project.Services {
		if !slices.Equal(service.CapDrop, []string{"ALL"}) || !slices.Contains(service.SecurityOpt, "no-new-privileges:true") {
			t.Errorf("%s may do more than it need: %v %v", name, service.CapDrop, service.SecurityOpt)
		}
	}
	if check := proxy.HealthCheck; check == nil || !slices.Equal(check.Test, []string{"CMD", "/usr/bin/ghapp-proxy", "health"}) {
		t.Errorf("the proxy's health check is %+v", check)
	}
	cfg := loadConfig(t, readFile(t, "../compose/config.toml"))
	agentNetworks := cfg.Clients.All()[0].Networks
	if subnet := sandbox.Ipam.Config[0].Subnet; len(agentNetworks) != 1 || agentNetworks[0].String() != subnet {
		t.Errorf("the client has %v, and the sandbox is %s", agentNetworks, subnet)
	}
	for _, path := range secretFiles(t, readFile(t, "../compose/config.toml")) {
		if path != "/run/secrets/"+proxy.Secrets[0].Source {
			t.Errorf("the proxy's key is said to be in %s, and it has %+v", path, proxy.Secrets)
		}
	}
}

// TestComposeTools: docker compose reads the variables as they are meant.
func TestComposeTools(t *testing.T) {
	agent := loadCompose(t).Services["agent"]
	got := make(map[string]string)
	for name, value := range agent.Environment {
		got[name] = *value
	}
	if want := toolsFor(t, "http://proxy:8080"); !maps.Equal(got, want) {
		t.Errorf("the agent's environment is %v, want %v", got, want)
	}
}
