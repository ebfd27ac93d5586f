package test

import (
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ghapp-proxy/internal/redistest"
	"ghapp-proxy/shared"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// TestKubernetesReplicas: three replicas have one configuration, which names a store that is there, that only they reach, and
// that has a user for them.
func TestKubernetesReplicas(t *testing.T) {
	m := kustomize(t, "../kubernetes/replicas")
	proxy, valkey := m.deployments[0], m.deployments[1]
	if proxy.Name != "ghapp-proxy" || *proxy.Spec.Replicas != 3 || valkey.Name != "valkey" || *valkey.Spec.Replicas != 1 {
		t.Fatalf("%d of %s and %d of %s", *proxy.Spec.Replicas, proxy.Name, *valkey.Spec.Replicas, valkey.Name)
	}
	for _, d := range m.deployments {
		checkSelector(t, d.Name, d.Spec.Selector, d.Spec.Template.Labels)
		checkPods(t, m, &d.Spec.Template.ObjectMeta, &d.Spec.Template.Spec)
	}
	config := m.configMaps["ghapp-proxy"].Data["config.toml"]
	if got := withoutTables(config, "shared"); got != readFile(t, "../kubernetes/proxy/config.toml") {
		t.Errorf("besides [shared] the configuration is another one than that of ../proxy:\n%s", got)
	}
	cfg := loadConfig(t, config)
	if len(cfg.CA.CertFile) == 0 {
		t.Error("replicas have no CA in common")
	}
	volumes := make(map[string][]corev1.KeyToPath)
	for _, d := range m.deployments {
		for _, v := range d.Spec.Template.Spec.Volumes {
			if v.Secret != nil && v.Secret.SecretName == "ghapp-proxy-valkey" {
				volumes[d.Name] = v.Secret.Items
			}
		}
	}
	for name, key := range map[string]string{"ghapp-proxy": "url", "valkey": "users.acl"} {
		if items := volumes[name]; len(items) != 1 || items[0].Key != key || items[0].Path != key {
			t.Errorf("%s has %+v of the Secret, want %s alone", name, items, key)
		}
	}
	container := valkey.Spec.Template.Spec.Containers[0]
	for _, service := range m.services {
		if service.Name == "valkey" && (!labels.SelectorFromSet(service.Spec.Selector).Matches(labels.Set(valkey.Spec.Template.Labels)) || portsOf(&valkey.Spec.Template.Spec)[service.Spec.Ports[0].TargetPort.StrVal] != 6379) {
			t.Errorf("the Service: %+v", service.Spec)
		}
	}
	var in, out []string
	for _, p := range m.policies {
		if matches(t, &p.Spec.PodSelector, valkey.Spec.Template.Labels) {
			if len(p.Spec.Egress) > 0 || len(p.Spec.PolicyTypes) != 2 {
				t.Errorf("%s lets the store reach %+v", p.Name, p.Spec.Egress)
			}
			for _, rule := range p.Spec.Ingress {
				for _, from := range rule.From {
					if from.NamespaceSelector != nil || from.IPBlock != nil || !matches(t, from.PodSelector, proxy.Spec.Template.Labels) || matches(t, from.PodSelector, map[string]string{"ghapp-proxy/client": "agent"}) {
						t.Errorf("the store is reached by %+v", from)
					}
				}
				in = append(in, portNames(rule.Ports)...)
			}
		} else if p.Name == "ghapp-proxy-valkey" && matches(t, &p.Spec.PodSelector, proxy.Spec.Template.Labels) && matches(t, p.Spec.Egress[0].To[0].PodSelector, valkey.Spec.Template.Labels) {
			out = portNames(p.Spec.Egress[0].Ports)
		}
	}
	if !slices.Equal(in, []string{"valkey"}) || !slices.Equal(out, in) {
		t.Errorf("the store is reached at %v, and the proxies reach %v", in, out)
	}
	checkStore(t, append(container.Command, container.Args...), readFile(t, "../../docs/cluster.md"))
}

// TestComposeReplicas: compose.replicas.yaml makes three proxies of one, with one CA and a store that nobody else reaches.
func TestComposeReplicas(t *testing.T) {
	project := loadCompose(t, "../compose.replicas.yaml")
	proxy, valkey := project.Services["proxy"], project.Services["valkey"]
	if proxy.Scale == nil || *proxy.Scale != 3 || len(proxy.Volumes) > 0 || len(proxy.Ports) > 0 {
		t.Errorf("the proxy: %v replicas, %v, %v", proxy.Scale, proxy.Volumes, proxy.Ports)
	}
	for name, service := range project.Services {
		_, reaches := service.Networks["store"]
		if reaches != (name == "proxy" || name == "valkey") {
			t.Errorf("%s is on %v", name, slices.Collect(maps.Keys(service.Networks)))
		}
		if !slices.Equal(service.CapDrop, []string{"ALL"}) || !slices.Contains(service.SecurityOpt, "no-new-privileges:true") {
			t.Errorf("%s may do more than it need: %v %v", name, service.CapDrop, service.SecurityOpt)
		}
	}
	if len(valkey.Networks) != 1 || !project.Networks["store"].Internal || !valkey.ReadOnly {
		t.Errorf("the store is on %v", valkey.Networks)
	}
	if got := project.Configs[proxy.Configs[0].Source].File; len(proxy.Configs) != 1 || filepath.Base(got) != "replicas.toml" {
		t.Errorf("the configuration is %s", got)
	}
	text := readFile(t, "../compose/replicas.toml")
	loadConfig(t, text)
	if got, want := withoutTables(text, "shared", "ca"), readFile(t, "../compose/config.toml"); body(got) != body(want) {
		t.Errorf("besides [shared] and [ca] the configuration is another one than config.toml:\n%s", got)
	}
	var has, names []string
	for _, secret := range proxy.Secrets {
		has = append(has, "/run/secrets/"+secret.Source)
	}
	names = append(names, secretFiles(t, text)...)
	slices.Sort(has)
	slices.Sort(names)
	if names = slices.Compact(names); !slices.Equal(has, names) {
		t.Errorf("the proxy has %v, and its configuration names %v", has, names)
	}
	checkStore(t, valkey.Command, readFile(t, "../compose.replicas.yaml"))
}

// usersLine is how an instruction makes the store's users.
var usersLine = regexp.MustCompile(`printf '(user default off\\nuser ghapp-proxy [^']*)\\n' "\$PASSWORD"`)

// checkStore starts a store by a command and with the users that an instruction makes, and does all that proxies do.
func checkStore(t *testing.T, command []string, instruction string) {
	t.Helper()
	users := usersLine.FindStringSubmatch(instruction)
	if users == nil {
		t.Fatal("the instruction makes no users")
	}
	file := filepath.Join(t.TempDir(), "users.acl")
	writeFile(t, file, []byte(strings.NewReplacer("%s", "secret", `\n`, "\n").Replace(users[1])+"\n"))
	var args []string
	for _, arg := range command[1:] {
		if filepath.Base(arg) == "users.acl" {
			arg = file
		}
		args = append(args, arg)
	}
	server := redistest.Start(t, args...)
	for url, good := range map[string]bool{"redis://ghapp-proxy:secret@" + server.Addr: true, "redis://" + server.Addr: false, "redis://ghapp-proxy:wrong@" + server.Addr: false} {
		store, err := shared.Open(shared.Options{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		said, err := store.Test(t.Context())
		if (err == nil) != good {
			t.Errorf("%s: %q, %v", url, said, err)
		}
		store.Close()
	}
}

// withoutTables is a configuration without some tables, and the comments before them.
func withoutTables(text string, tables ...string) string {
	for _, table := range tables {
		text = regexp.MustCompile(`(?m)(^#.*\n)*^\[`+table+`\]\n(.+\n)*\n`).ReplaceAllString(text, "")
	}
	return text
}

// body is a configuration without its first line.
func body(text string) string {
	_, rest, _ := strings.Cut(text, "\n")
	return rest
}
