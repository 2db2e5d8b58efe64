//go:build msgraph

package parity

import "regexp"

// allowed are the differences that there are, each with its reason. One that
// is there no longer fails the test, as does one that is not in this list.
var allowed = []struct {
	what   string
	where  *regexp.Regexp
	steps  *regexp.Regexp // nil: any
	reason string
}{
	// Requests.
	{"SdkVersion", regexp.MustCompile(`^request header\.Sdkversion: only theirs$`), nil,
		"it tells Microsoft the versions of the SDK, of Go and of the system; nothing for ours to copy"},
	{"Content-Encoding", regexp.MustCompile(`^request header\.Content-Encoding: only theirs$`), nil,
		"theirs compresses every body, small ones to more than they were"},
	{"User-Agent", regexp.MustCompile(`^request header\.User-Agent$`), nil,
		"each says its own name"},
	{"client-request-id", regexp.MustCompile(`^request header\.Client-Request-Id$`), nil,
		"each makes up its own"},
	{"Accept of further pages and of batches", regexp.MustCompile(`^request header\.Accept: only ours$`), regexp.MustCompile(`^users|^batch`),
		"their page iterator and their batches leave it out"},
	{"dependsOn", regexp.MustCompile(`^request body\.requests\[\d+\]\.dependsOn: only theirs$`), nil,
		"theirs sends an empty list, which says nothing"},
	{"escapes in paths", regexp.MustCompile(`^request path as text$|\.url as text$`), nil,
		"theirs escapes more than it has to, such as @; the segments are the same"},
	{"order and escapes of queries", regexp.MustCompile(`^request query as text$`), nil,
		"theirs sorts the options and leaves $ in values; the options and their values are the same"},
	{"@odata.type", regexp.MustCompile(`^request body.*@odata\.type: only theirs$`), nil,
		"theirs names the type of what it updates, which the path says"},
	{"Accept of items of batches", regexp.MustCompile(`^request body\.requests\[\d+\]\.headers\.accept: only theirs$`), nil,
		"JSON is what Graph answers without it"},
	{"names that begin with a dollar", regexp.MustCompile(`^request path$|^answer$|^error|^result|^effects`), regexp.MustCompile(`with a dollar$`),
		"Graph takes such a segment for an operator; ours sends users('…')"},
	{"batches of actions without body", regexp.MustCompile(`^request count$|^request body\.requests\[\d+\]\.(body|headers\.content-type): only ours$|^answer$|^error: only theirs$|^result: only ours$|^effects$`),
		regexp.MustCompile(`^batch of actions without body$`),
		"Graph refuses a batch with such an item, which is what theirs sends; ours gets them done"},
	{"arguments without sense", regexp.MustCompile(`^unsent$`), nil,
		"ours refuses them before anything is sent, theirs sends them"},

	// Results and errors.
	{"ids and date of an error", regexp.MustCompile(`^error\.(requestID|clientRequestID|date): only ours$`), nil,
		"ours reads them from the headers as well, theirs from the body alone"},
	{"answers that are not Graph's", regexp.MustCompile(`^error\.(status|code|message|target|details): only ours$|^error\.text: only theirs$`), regexp.MustCompile(`^page of|without a body$`),
		"theirs has an untyped error, without a status but for an error without a body"},
	{"status of failed items of batches", regexp.MustCompile(`^result\[\d+\]\.error\.status$`), regexp.MustCompile(`^batch`),
		"theirs leaves it 0"},
	{"204 for an assignment", regexp.MustCompile(`^result\.userPrincipalName: only ours$`), regexp.MustCompile(`^no body$`),
		"ours returns what it was asked for, theirs a nil user"},
}
