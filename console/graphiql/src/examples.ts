/**
 * The operations a new visitor finds in the first tab. Everything a reader may
 * want to change is in this file. Ctrl-Enter runs the operation that holds the
 * cursor; the run button asks which one.
 */
export const exampleOperations = `# Sello's API, live. Sign in above to load the schema.
#
#   Ctrl-Enter   run the operation under the cursor
#   Ctrl-Space   what can stand here
#   Ctrl-F       find
#
# The book at the left opens the reference: every type, field and argument.
# Values of the $variables are in the Variables pane below.

# Customers by words of the name, e-mail, document, QR text or end of the phone,
# 10 at a time.
# For the next page, pass the endCursor of this one as "after".
query CustomerSearch($search: String, $after: String) {
  customers(search: $search, first: 10, after: $after) {
    edges {
      node {
        id
        firstName
        lastName
        phone
        cards(first: 3) {
          edges {
            node {
              code
              balance
            }
          }
        }
      }
    }
    pageInfo {
      hasNextPage
      endCursor
    }
  }
}

# A card's balance and its latest movements.
query CardBalance($code: String!) {
  card(code: $code) {
    code
    status
    balance
    movements(first: 20) {
      edges {
        node {
          seq
          action
          amount
          balanceAfter
          reference
          postedAt
          store {
            name
          }
        }
      }
    }
  }
}

# Five points for good will. The same key again answers the first result.
mutation Courtesy($code: String!) {
  movementAdjust(
    input: { card: { code: $code }, points: "5", description: "Cortesía", idempotencyKey: "graphiql-1" }
  ) {
    movement {
      seq
      balanceAfter
    }
    replayed
    userErrors {
      code
      field
      message
    }
  }
}

# Every movement from now on, as it is posted. Stop it with the run button.
subscription MovementFeed {
  movementPosted {
    cursor
    movement {
      card {
        code
      }
      action
      amount
      balanceAfter
      postedAt
    }
  }
}
`;

/** The values of the variables above, as they stand in the Variables pane. */
export const exampleVariables = `{
  "search": "ana",
  "code": "esquina-3332000037"
}
`;
