package test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// manifests are what kustomize makes of a directory.
type manifests struct {
	deployments []*appsv1.Deployment
	jobs        []*batchv1.Job
	pods        []*corev1.Pod
	services    []*corev1.Service
	policies    []*networkingv1.NetworkPolicy
	budgets     []*policyv1.PodDisruptionBudget
	configMaps  map[string]*corev1.ConfigMap
}

// kustomize builds a directory, and decodes what comes of it as the API server
// does with strict validation of fields: an unknown one is an error, and so is one
// that is there twice.
func kustomize(t *testing.T, dir string) *manifests {
	t.Helper()
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		t.Fatal(err)
	}
	text, err := built.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{appsv1.AddToScheme, batchv1.AddToScheme, corev1.AddToScheme, networkingv1.AddToScheme, policyv1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	decoder := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
	found := &manifests{configMaps: make(map[string]*corev1.ConfigMap)}
	for documents := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text))); ; {
		document, err := documents.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		object, _, err := decoder.Decode(document, nil, nil)
		if err != nil {
			t.Fatalf("%v\n%s", err, document)
		}
		found.add(t, object)
	}
	return found
}

func (m *manifests) add(t *testing.T, object runtime.Object) {
	t.Helper()
	switch o := object.(type) {
	case *appsv1.Deployment:
		m.deployments = append(m.deployments, o)
	case *batchv1.Job:
		m.jobs = append(m.jobs, o)
	case *corev1.Pod:
		m.pods = append(m.pods, o)
	case *corev1.Service:
		m.services = append(m.services, o)
	case *networkingv1.NetworkPolicy:
		m.policies = append(m.policies, o)
	case *policyv1.PodDisruptionBudget:
		m.budgets = append(m.budgets, o)
	case *corev1.ConfigMap:
		m.configMaps[o.Name] = o
	case *corev1.Namespace:
		if o.Labels["pod-security.kubernetes.io/enforce"] != "restricted" {
			t.Errorf("namespace %s: %v", o.Name, o.Labels)
		}
	default:
		t.Errorf("unexpected %T", o)
	}
}

// TestKubernetesProxy: Services, policies, the budget and the probes lead to pods
// and ports that are there.
func TestKubernetesProxy(t *testing.T) {
	m := kustomize(t, "../kubernetes/proxy")
	deployment := m.deployments[0]
	pod := deployment.Spec.Template
	if *deployment.Spec.Replicas < 2 || deployment.Spec.Strategy.RollingUpdate.MaxUnavailable.IntValue() != 0 {
		t.Errorf("an upgrade leaves nobody to serve: %+v", deployment.Spec)
	}
	checkSelector(t, "the Deployment", deployment.Spec.Selector, pod.Labels)
	checkSelector(t, "the budget", m.budgets[0].Spec.Selector, pod.Labels)
	checkPods(t, m, &pod.ObjectMeta, &pod.Spec)

	ports := portsOf(&pod.Spec)
	cfg := loadConfig(t, m.configMaps["ghapp-proxy"].Data["config.toml"])
	for name, listen := range map[string]string{"proxy": cfg.Listen, "agent": cfg.Clients.All()[0].Listen, "admin": cfg.Admin.Listen} {
		if want := fmt.Sprintf("0.0.0.0:%d", ports[name]); listen != want {
			t.Errorf("port %s: the proxy listens on %s, want %s", name, listen, want)
		}
	}
	for what, probe := range map[string]*corev1.Probe{"/readyz": pod.Spec.Containers[0].ReadinessProbe, "/healthz": pod.Spec.Containers[0].LivenessProbe} {
		if probe.HTTPGet.Path != what || probe.HTTPGet.Port.StrVal != "admin" {
			t.Errorf("the probe for %s: %+v", what, probe.HTTPGet)
		}
	}
	service := m.services[0]
	if !labels.SelectorFromSet(service.Spec.Selector).Matches(labels.Set(pod.Labels)) {
		t.Errorf("the Service selects %v, and the pods are %v", service.Spec.Selector, pod.Labels)
	}
	for _, p := range service.Spec.Ports {
		if ports[p.TargetPort.StrVal] != p.Port {
			t.Errorf("the Service's port %+v is none of %v", p, ports)
		}
	}
	if most := time.Duration(*pod.Spec.TerminationGracePeriodSeconds) * time.Second; cfg.ShutdownDelay <= 0 || cfg.ShutdownDelay+cfg.ShutdownGrace >= most {
		t.Errorf("the proxy takes %v and %v to end, and Kubernetes kills it after %v", cfg.ShutdownDelay, cfg.ShutdownGrace, most)
	}
}

// TestKubernetesPolicies: each client reaches its own port, and nothing but the
// proxy.
func TestKubernetesPolicies(t *testing.T) {
	m := kustomize(t, "../kubernetes/proxy")
	proxy := m.deployments[0].Spec.Template
	agent := kustomize(t, "../kubernetes/agent").pods[0]
	named := make(map[string]*networkingv1.NetworkPolicy)
	for _, p := range m.policies {
		named[p.Name] = p
	}
	ofProxy, ofClients := named["ghapp-proxy"], named["ghapp-proxy-clients"]
	checkSelector(t, "the proxy's policy", &ofProxy.Spec.PodSelector, proxy.Labels)
	checkSelector(t, "the clients' policy", &ofClients.Spec.PodSelector, agent.Labels)
	for _, p := range m.policies {
		if !slices.Equal(p.Spec.PolicyTypes, []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress}) {
			t.Errorf("%s leaves a direction open: %v", p.Name, p.Spec.PolicyTypes)
		}
	}
	admitted := make(map[string][]string) // label of the client → ports
	for _, rule := range ofProxy.Spec.Ingress {
		for _, peer := range rule.From {
			if slices.Equal(portNames(rule.Ports), []string{"admin"}) && peer.NamespaceSelector != nil && len(peer.NamespaceSelector.MatchLabels) > 0 {
				continue // Prometheus
			}
			if peer.PodSelector == nil || peer.NamespaceSelector != nil || peer.IPBlock != nil {
				t.Errorf("the proxy admits %+v", peer)
				continue
			}
			label := peer.PodSelector.MatchLabels["ghapp-proxy/client"]
			admitted[label] = append(admitted[label], portNames(rule.Ports)...)
		}
	}
	if want := map[string][]string{"secret": {"proxy"}, "agent": {"agent"}}; !maps.EqualFunc(admitted, want, slices.Equal) {
		t.Errorf("the proxy admits %v, want %v", admitted, want)
	}
	if len(ofClients.Spec.Ingress) > 0 {
		t.Errorf("clients can be reached: %v", ofClients.Spec.Ingress)
	}
	for _, rule := range ofClients.Spec.Egress {
		for _, peer := range rule.To {
			dns := slices.Equal(portNames(rule.Ports), []string{"53", "53"}) && peer.NamespaceSelector != nil && peer.PodSelector != nil
			if peer.IPBlock != nil || !dns && !matches(t, peer.PodSelector, proxy.Labels) {
				t.Errorf("clients reach %+v", peer)
			}
		}
	}
}

// TestKubernetesClients: the tools find the proxy and what to trust, and do not see
// the key.
func TestKubernetesClients(t *testing.T) {
	agent := kustomize(t, "../kubernetes/agent")
	job := kustomize(t, "../kubernetes/sidecar")
	pod := job.jobs[0].Spec.Template
	for name, test := range map[string]struct {
		m       *manifests
		meta    *metav1.ObjectMeta
		spec    *corev1.PodSpec
		address string
	}{
		"agent":   {agent, &agent.pods[0].ObjectMeta, &agent.pods[0].Spec, "http://ghapp-proxy:8081"},
		"sidecar": {job, &pod.ObjectMeta, &pod.Spec, "http://127.0.0.1:8081"},
	} {
		t.Run(name, func(t *testing.T) {
			checkPods(t, test.m, test.meta, test.spec)
			tool := test.spec.Containers[0]
			tools := test.m.configMaps[tool.EnvFrom[0].ConfigMapRef.Name]
			if want := toolsFor(t, test.address); !maps.Equal(tools.Data, want) {
				t.Errorf("the tool's environment is %v, want %v", tools.Data, want)
			}
			secrets := make(map[string]bool)
			for _, v := range test.spec.Volumes {
				secrets[v.Name] = v.Secret != nil
			}
			for _, mount := range tool.VolumeMounts {
				if secrets[mount.Name] || !mount.ReadOnly || mount.Name == "admin" {
					t.Errorf("the tool has %+v", mount)
				}
			}
		})
	}
}

// TestSidecar: the proxy runs beside the tool, and knows it by its user id.
func TestSidecar(t *testing.T) {
	m := kustomize(t, "../kubernetes/sidecar")
	spec := m.jobs[0].Spec.Template.Spec
	proxy, tool := spec.InitContainers[0], spec.Containers[0]
	if proxy.RestartPolicy == nil || *proxy.RestartPolicy != corev1.ContainerRestartPolicyAlways || proxy.StartupProbe == nil {
		t.Errorf("the tool does not wait for the proxy, or the proxy keeps the job from ending: %+v", proxy)
	}
	config := ""
	for name, configMap := range m.configMaps {
		if strings.HasPrefix(name, "ghapp-proxy-") && configMap.Data["config.toml"] != "" {
			config = configMap.Data["config.toml"]
		}
	}
	cfg := loadConfig(t, config)
	client := cfg.Clients.All()[0]
	if want := []uint32{uint32(*tool.SecurityContext.RunAsUser)}; !slices.Equal(client.UIDs, want) || *proxy.SecurityContext.RunAsUser == *tool.SecurityContext.RunAsUser {
		t.Errorf("the client is %v, the tool %v, the proxy %v", client.UIDs, want, *proxy.SecurityContext.RunAsUser)
	}
}

// checkPods checks what holds of all pods: the restricted standard, volumes that
// are there, and keys where the configuration says that they are.
func checkPods(t *testing.T, m *manifests, meta *metav1.ObjectMeta, spec *corev1.PodSpec) {
	t.Helper()
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	restricted := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	for _, result := range evaluator.EvaluatePod(restricted, meta, spec) {
		if !result.Allowed {
			t.Errorf("not as the restricted standard wants it: %s: %s", result.ForbiddenReason, result.ForbiddenDetail)
		}
	}
	if spec.AutomountServiceAccountToken == nil || *spec.AutomountServiceAccountToken {
		t.Error("the pod has a token of the cluster")
	}
	volumes := make(map[string]corev1.Volume)
	for _, v := range spec.Volumes {
		volumes[v.Name] = v
	}
	for _, c := range slices.Concat(spec.InitContainers, spec.Containers) {
		if c.SecurityContext.ReadOnlyRootFilesystem == nil || !*c.SecurityContext.ReadOnlyRootFilesystem {
			t.Errorf("%s can write to its image", c.Name)
		}
		for _, mount := range c.VolumeMounts {
			if _, ok := volumes[mount.Name]; !ok {
				t.Errorf("%s: no volume %s", c.Name, mount.Name)
			}
		}
		if c.Image == "ghapp-proxy" || strings.HasPrefix(c.Image, "ghapp-proxy:") {
			checkProxy(t, m, c, volumes)
		}
	}
}

// checkProxy checks that a container of the proxy has what its configuration names,
// and that its secrets are closed to others.
func checkProxy(t *testing.T, m *manifests, c corev1.Container, volumes map[string]corev1.Volume) {
	t.Helper()
	mounted := make(map[string]corev1.Volume)
	config := ""
	for _, mount := range c.VolumeMounts {
		v := volumes[mount.Name]
		mounted[mount.MountPath] = v
		if v.ConfigMap != nil && mount.MountPath == "/etc/ghapp-proxy" {
			if m.configMaps[v.ConfigMap.Name] == nil {
				t.Fatalf("no ConfigMap %s", v.ConfigMap.Name)
			}
			config = m.configMaps[v.ConfigMap.Name].Data["config.toml"]
		}
	}
	paths := secretFiles(t, config)
	if len(paths) == 0 {
		t.Fatal("the proxy has no configuration")
	}
	for _, name := range paths {
		secret := mounted[path.Dir(name)].Secret
		if secret == nil || secret.DefaultMode == nil || *secret.DefaultMode != 0o440 {
			t.Errorf("%s is in no Secret of mode 0440: %+v", name, secret)
		}
	}
}

func checkSelector(t *testing.T, what string, selector *metav1.LabelSelector, of map[string]string) {
	t.Helper()
	if !matches(t, selector, of) {
		t.Errorf("%s selects %v, and the pods are %v", what, selector, of)
	}
}

func matches(t *testing.T, selector *metav1.LabelSelector, of map[string]string) bool {
	t.Helper()
	s, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		t.Fatal(err)
	}
	return s.Matches(labels.Set(of))
}

// portsOf are the named ports of a pod.
func portsOf(spec *corev1.PodSpec) map[string]int32 {
	ports := make(map[string]int32)
	for _, c := range spec.Containers {
		for _, p := range c.Ports {
			ports[p.Name] = p.ContainerPort
		}
	}
	return ports
}

func portNames(ports []networkingv1.NetworkPolicyPort) (names []string) {
	for _, p := range ports {
		names = append(names, p.Port.String())
	}
	return names
}
