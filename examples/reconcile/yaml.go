package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/graphlicensing/licensing/examples/internal/mistakes"
)

// A reader walks through YAML, and notes all mistakes, not only the first, for a
// file is mended at one go.
type reader struct {
	*mistakes.List
	anchors map[string]ast.Node
}

// A place is where something stands in a file.
type place struct{ line, column int }

// A name is one that the file has for something.
type name struct {
	text string
	place
}

// fields of a mapping, and what takes their values in.
type fields map[string]func(ast.Node)

// parse returns the one document of a file, or nil.
func (r *reader) parse(data []byte) ast.Node {
	file, err := parser.ParseBytes(data, 0)
	if bad, ok := errors.AsType[*yaml.SyntaxError](err); ok {
		at := bad.Token.Position
		r.AddAt(at.Line, at.Column, errors.New(bad.Message))
		return nil
	}
	switch {
	case err != nil:
		r.Add(1, err)
	case len(file.Docs) == 0 || file.Docs[0].Body == nil:
		r.Add(1, errors.New("the file is empty"))
	case len(file.Docs) > 1:
		r.fail(file.Docs[1].Body, "there is a second document")
	default:
		return file.Docs[0].Body
	}
	return nil
}

func placeOf(node ast.Node) place {
	if node == nil || node.GetToken() == nil {
		return place{1, 1}
	}
	if mapping, ok := node.(*ast.MappingNode); ok && len(mapping.Values) > 0 {
		node = mapping.Values[0].Key // its own token is the first colon
	}
	at := node.GetToken().Position
	return place{at.Line, at.Column}
}

func (r *reader) fail(node ast.Node, format string, args ...any) {
	r.failAt(placeOf(node), fmt.Errorf(format, args...))
}

func (r *reader) failAt(at place, err error) { r.AddAt(at.line, at.column, err) }

// value returns what a node stands for: an anchor for what it is before, an alias for
// what that is.
func (r *reader) value(node ast.Node) ast.Node {
	switch n := node.(type) {
	case *ast.AnchorNode:
		r.anchors[n.Name.String()] = n.Value
		return n.Value
	case *ast.AliasNode:
		value, ok := r.anchors[n.Value.String()]
		if !ok {
			r.fail(node, "there is no anchor &%s before this", n.Value)
		}
		return value
	}
	return node
}

// each takes in the members of a mapping, whatever they are called.
func (r *reader) each(node ast.Node, what string, take func(key name, value ast.Node)) {
	mapping, ok := r.value(node).(ast.MapNode)
	if !ok {
		r.wrong(node, what)
		return
	}
	for members := mapping.MapRange(); members.Next(); {
		if key, ok := r.name(members.Key(), "a name"); ok {
			take(key, members.Value())
		}
	}
}

// fields takes in those of a mapping. One that is not known may be a slip, and would
// go unnoticed.
func (r *reader) fields(node ast.Node, what string, known fields) {
	r.each(node, what, func(key name, value ast.Node) {
		take := known[key.text]
		if take == nil {
			r.failAt(key.place, fmt.Errorf("unknown key %q; there are %s", key.text, strings.Join(sorted(known), ", ")))
			return
		}
		take(value)
	})
}

func sorted(known fields) (keys []string) {
	for key := range known {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// list takes in what is in a list.
func (r *reader) list(node ast.Node, what string, take func(ast.Node)) {
	list, ok := r.value(node).(*ast.SequenceNode)
	if !ok {
		r.wrong(node, what)
		return
	}
	for _, value := range list.Values {
		take(value)
	}
}

// names returns those of a list, which is not nil where there is one.
func (r *reader) names(node ast.Node, what string) []name {
	names := []name{}
	r.list(node, "a list of "+what+"s", func(value ast.Node) {
		if n, ok := r.name(value, "a "+what); ok {
			names = append(names, n)
		}
	})
	return names
}

// name returns a name, which may look like a number.
func (r *reader) name(node ast.Node, what string) (name, bool) {
	switch value := r.value(node).(type) {
	case *ast.StringNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		if text := value.GetToken().Value; strings.TrimSpace(text) != "" {
			return name{text, placeOf(node)}, true
		}
		r.fail(node, "want %s, and there is an empty text", what)
	default:
		r.wrong(node, what)
	}
	return name{}, false
}

// wrong notes what there is in the place of something else.
func (r *reader) wrong(node ast.Node, want string) {
	value := r.value(node)
	if value == nil {
		return // an alias of nothing, which is noted
	}
	got := "something else"
	switch value.(type) {
	case *ast.MergeKeyNode:
		got = "a merge key, which is not for here"
	case *ast.NullNode:
		got = "nothing"
	case ast.MapNode:
		got = "a mapping"
	case *ast.SequenceNode:
		got = "a list"
	case ast.ScalarNode:
		got = fmt.Sprintf("%q", value.GetToken().Value)
	}
	r.fail(node, "want %s, and there is %s", want, got)
}
