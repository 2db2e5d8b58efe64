package licensingtest

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Options are the query options of a read. Those that are not there are empty,
// top is zero.
type options struct {
	selected  []string
	top       int
	filter    string
	count     bool
	skipToken string
	others    []string // the names of all but $select and $skiptoken
	sent      []string // all of the query but $skiptoken, as it was sent
}

// parseQuery reads a query. Names have no case, and plus is a space, as is %20.
// What does not begin with a dollar sign is no business of Graph's.
func parseQuery(query string) (options, *graphError) {
	var o options
	var seen []string
	if strings.ContainsFunc(query, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return o, errURL // over a connection this would not even arrive
	}
	for part := range strings.SplitSeq(query, "&") {
		rawName, rawValue, _ := strings.Cut(part, "=")
		name, err := url.QueryUnescape(rawName)
		value, valueErr := url.QueryUnescape(rawValue)
		if err != nil || valueErr != nil {
			return o, errURL
		}
		name = strings.ToLower(name)
		if name != "$skiptoken" && part != "" {
			o.sent = append(o.sent, part)
		}
		if !strings.HasPrefix(name, "$") {
			continue
		}
		if slices.Contains(seen, name) {
			return o, errOptionTwice(name)
		}
		seen = append(seen, name)
		switch name {
		case "$select":
			if value = strings.ReplaceAll(value, " ", ""); value != "" {
				o.selected = strings.Split(value, ",")
			}
			continue
		case "$top":
			if o.top, err = strconv.Atoi(value); err != nil {
				return o, errOptionValue(name, value)
			}
			if o.top < 1 || o.top > maxPage {
				return o, errPageSize(o.top)
			}
		case "$filter":
			o.filter = value
		case "$count":
			o.count = strings.EqualFold(value, "true")
			if !o.count && !strings.EqualFold(value, "false") {
				return o, errOptionValue(name, value)
			}
		case "$skiptoken":
			o.skipToken = value
			continue
		}
		o.others = append(o.others, name)
	}
	return o, nil
}

// cost returns what an operation costs with these options.
func (o options) cost(units int) int {
	if o.selected != nil {
		units--
	}
	if o.top > 0 && o.top < 20 {
		units--
	}
	return max(1, units)
}

// only tells what is wrong with options other than $select and those named.
func (o options) only(refuse func(name string) *graphError, names ...string) *graphError {
	for _, name := range o.others {
		if !slices.Contains(names, name) {
			return refuse(name)
		}
	}
	return nil
}

// refuseListing tells why a collection of pages cannot have an option.
func refuseListing(name string) *graphError {
	if name == "$skip" {
		return errSkip
	}
	return notServed("the query option " + name)
}

// refuseSingle tells why a single object cannot have an option.
func refuseSingle(name string) *graphError {
	switch name {
	case "$filter", "$orderby", "$count", "$skip", "$top":
		return errNoCollection
	}
	return notServed("the query option " + name)
}

// refuseOption tells why a collection without pages cannot have an option.
func refuseOption(name string) *graphError {
	if name == "$filter" {
		return errFilteredSearch
	}
	return errOption(name)
}
