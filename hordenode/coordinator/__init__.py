"""The use cases of a horde: one module per noun; one public function is one use case in one transaction."""
