"""What the tests share: the stack they run against, the client they speak through, the recorder that checks it."""
