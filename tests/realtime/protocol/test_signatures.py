"""Signatures, by the examples of Pusher's documentation."""

from kanal.realtime.protocol.signatures import shared_secret, sign_subscription, sign_user

KEY, SECRET = "278d425bdf160c739803", "7ad3773142a6692b25b8"  # the documented examples use these


def test_private_channel_as_documented() -> None:  # F-RT-01
    auth = sign_subscription(KEY, SECRET, "1234.1234", "private-foobar")
    assert auth == f"{KEY}:58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4"


def test_presence_channel_as_documented() -> None:  # F-RT-02
    data = '{"user_id":10,"user_info":{"name":"Mr. Channels"}}'
    auth = sign_subscription(KEY, SECRET, "1234.1234", "presence-foobar", data)
    assert auth == f"{KEY}:31935e7d86dba64c2a90aed31fdc61869f9b22ba9d8863bba239c03ca481bc80"


def test_sign_in_as_documented() -> None:
    auth = sign_user(KEY, SECRET, "1234.1234", '{"id":"12345"}')
    assert auth == f"{KEY}:4708d583dada6a56435fb8bc611c77c359a31eebde13337c16ab43aa6de336ba"


def test_shared_secret_is_derived_as_the_server_sdks_do() -> None:
    # The values of the tests of pusher-http-python.
    secret = shared_secret(b"OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5", "pvUPIk0YG6MnxCEMIUUVFrbDmQwbhICXUcy")
    assert secret == "cJ7zCQokv6mDgstdAlyjYiyC0x+ifxCwBcDconuuZRY="
