"""Records in the forms that other libraries use, and back."""
