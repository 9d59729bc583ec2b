"""Tables → claims of the paper, with their verdicts, and the ledger of all."""
