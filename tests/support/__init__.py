"""What tests stand on: private database servers, databases in them, processes of our own."""
