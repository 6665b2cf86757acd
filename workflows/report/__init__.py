"""What a campaign shows a person when it is done."""
