package reqlog

// Filter is a parsed filter expression: rows pass that meet all its terms. The zero Filter takes
// every row. ParseFilter reads the language of the dashboard, the command line and the API's q
// parameter; the reference's filters parameter is turned into terms by the management API.
type Filter struct{ Terms []Term }

// Term is one condition: the row's value of Field stands in relation Op to one of Values.
type Term struct {
	Field  Field
	Key    string // of FieldMeta: the metadata key; "" any
	Op     Op
	Values []string // any of them is enough; texts as the user wrote them
	Not    bool
}

// Field is what a Term looks at.
type Field string

// Op is a Term's relation.
type Op string
