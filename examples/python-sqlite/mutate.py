"""Change a contact, for contactbridge check --mutate.

Usage: python3 mutate.py contacts.db create|update|delete ID
"""

import sqlite3
import sys

STATEMENTS = {
    "create": "INSERT INTO contacts (id, name, phone) VALUES (?, 'Created by the check', '+14155550100')",
    "update": "UPDATE contacts SET name = coalesce(name, '') || '!' WHERE id = ?",
    "delete": "DELETE FROM contacts WHERE id = ?",
}

if len(sys.argv) != 4 or sys.argv[2] not in STATEMENTS:
    sys.exit(__doc__)
database = sqlite3.connect(sys.argv[1], timeout=10)
with database:  # one transaction
    changed = database.execute(STATEMENTS[sys.argv[2]], (sys.argv[3],)).rowcount
database.close()
if changed != 1:
    sys.exit(f"there is no contact {sys.argv[3]}")
