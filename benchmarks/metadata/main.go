// Command metadata makes the table of Graph's types that a test of the library
// compares its own types with. It reads a CSDL of microsoftgraph/msgraph-metadata.
//
//	go run ./metadata -commit HASH -out ../testdata/metadata.json schemas/v1.0-Prod.csdl
package main

import (
	"encoding/json"
	"encoding/xml"
	"flag"
	"fmt"
	"log"
	"maps"
	"os"
	"slices"
	"strings"
)

// The types that the library has, by their names in Graph.
var wanted = []string{
	"assignedLicense", "assignedPlan", "companySubscription", "group", "licenseAssignmentState", "licenseDetails", "licenseProcessingState",
	"licenseUnitsDetail", "provisionedPlan", "servicePlanInfo", "subscribedSku", "user",
}

// A schema is what matters of a CSDL.
type schema struct {
	Namespace string       `xml:"Namespace,attr"`
	Entities  []structured `xml:"EntityType"`
	Complex   []structured `xml:"ComplexType"`
}

type structured struct {
	Name       string `xml:"Name,attr"`
	Base       string `xml:"BaseType,attr"`
	Properties []struct {
		Name string `xml:"Name,attr"`
		Type string `xml:"Type,attr"`
	} `xml:"Property"`
}

func main() {
	log.SetFlags(0)
	commit := flag.String("commit", "", "of msgraph-metadata")
	out := flag.String("out", "", "the table")
	flag.Parse()
	if err := run(flag.Arg(0), *commit, *out); err != nil {
		log.Fatal(err)
	}
}

func run(csdl, commit, out string) error {
	text, err := os.ReadFile(csdl)
	if err != nil {
		return err
	}
	var document struct {
		Schemas []schema `xml:"DataServices>Schema"`
	}
	if err := xml.Unmarshal(text, &document); err != nil {
		return err
	}
	types := make(map[string]structured)
	for _, s := range document.Schemas {
		if s.Namespace == "microsoft.graph" {
			for _, t := range slices.Concat(s.Entities, s.Complex) {
				types[t.Name] = t
			}
		}
	}
	table, err := tableOf(types, commit)
	if err != nil {
		return err
	}
	return os.WriteFile(out, []byte(table), 0o666)
}

// tableOf returns the table, with a line for each type.
func tableOf(types map[string]structured, commit string) (string, error) {
	lines := make([]string, 0, len(wanted))
	for _, name := range wanted {
		properties, err := propertiesOf(types, name)
		if err != nil {
			return "", err
		}
		text, err := json.Marshal(properties)
		if err != nil {
			return "", err
		}
		lines = append(lines, fmt.Sprintf("    %q: %s", name, text))
	}
	return fmt.Sprintf("{\n  \"source\": \"microsoftgraph/msgraph-metadata %s, v1.0\",\n  \"types\": {\n%s\n  }\n}\n", commit, strings.Join(lines, ",\n")), nil
}

// propertiesOf returns the types of a type's properties by name, those of its
// base types too.
func propertiesOf(types map[string]structured, name string) (map[string]string, error) {
	t, ok := types[name]
	if !ok {
		return nil, fmt.Errorf("no type %s", name)
	}
	all := make(map[string]string)
	for _, p := range t.Properties {
		all[p.Name] = p.Type
	}
	if t.Base == "" {
		return all, nil
	}
	base, err := propertiesOf(types, t.Base[strings.LastIndex(t.Base, ".")+1:])
	maps.Copy(all, base)
	return all, err
}
