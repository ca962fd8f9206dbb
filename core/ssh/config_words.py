"""The keywords of ssh_config(5): which are read, which are refused, which change nothing here."""

from __future__ import annotations

ALIASES = {
    "challengeresponseauthentication": "kbdinteractiveauthentication",
    "skeyauthentication": "kbdinteractiveauthentication",
    "tisauthentication": "kbdinteractiveauthentication",
    "dsaauthentication": "pubkeyauthentication",
    "pubkeyacceptedkeytypes": "pubkeyacceptedalgorithms",
    "hostbasedkeytypes": "hostbasedacceptedalgorithms",
    "identityfile2": "identityfile",
    "userknownhostsfile2": "userknownhostsfile",
    "globalknownhostsfile2": "globalknownhostsfile",
}
YES_NO = frozenset({
    "batchmode", "canonicalizefallbacklocal", "gssapiauthentication", "hashknownhosts", "identitiesonly",
    "kbdinteractiveauthentication", "passwordauthentication", "proxyusefdpass",
})  # fmt: skip
CHOICES = {
    "addressfamily": ("any", "inet", "inet6"),
    "canonicalizehostname": ("yes", "no", "always"),
    "pubkeyauthentication": ("yes", "no", "unbound", "host-bound"),
    "verifyhostkeydns": ("yes", "no", "ask"),
}
NUMBERS = frozenset({"canonicalizemaxdots", "requiredrsasize"})
TEXTS = frozenset({
    "bindaddress", "bindinterface", "casignaturealgorithms", "ciphers", "hostkeyalgorithms", "hostkeyalias", "hostname",
    "identityagent", "kexalgorithms", "macs", "pkcs11provider", "preferredauthentications", "pubkeyacceptedalgorithms",
    "revokedhostkeys", "tag", "user",
})  # fmt: skip
LISTS = frozenset({"canonicaldomains", "canonicalizepermittedcnames", "globalknownhostsfile", "userknownhostsfile"})
ADDED = frozenset({"identityfile", "certificatefile"})  # each line adds one
COMMANDS = frozenset(
    {"knownhostscommand", "localcommand", "proxycommand", "proxyjump", "refuseconnection", "remotecommand"}
)

# Known to ssh, and without a say in where we connect, whom we trust or how we log in: no shell, no terminal, no
# forwarding is opened here, host keys are always checked, waits are settings of our own.
IGNORED = frozenset({
    "addkeystoagent", "afstokenpassing", "canonicaldomainsonly", "channeltimeout", "checkhostip", "cipher",
    "clearallforwardings", "compression", "compressionlevel", "connectionattempts", "connecttimeout", "controlmaster",
    "controlpath", "controlpersist", "dynamicforward", "enableescapecommandline", "enablesshkeysign", "escapechar",
    "exitonforwardfailure", "fallbacktorsh", "fingerprinthash", "forkafterauthentication", "forwardagent", "forwardx11",
    "forwardx11timeout", "forwardx11trusted", "gatewayports", "gssapiclientidentity", "gssapidelegatecredentials",
    "gssapikexalgorithms", "gssapikeyexchange", "gssapirenewalforcesrekey", "gssapiserveridentity", "gssapitrustdns",
    "hostbasedacceptedalgorithms", "hostbasedauthentication", "ignoreunknown", "ipqos", "kbdinteractivedevices",
    "keepalive", "kerberosauthentication", "kerberostgtpassing", "localforward", "loglevel", "logverbose",
    "nohostauthenticationforlocalhost", "numberofpasswordprompts", "obscurekeystroketiming", "permitlocalcommand",
    "permitremoteopen", "protocol", "rekeylimit", "remoteforward", "requesttty",
    "rhostsauthentication", "rhostsrsaauthentication", "rsaauthentication", "securitykeyprovider", "sendenv",
    "serveralivecountmax", "serveraliveinterval", "sessiontype", "setenv", "smartcarddevice", "stdinnull",
    "streamlocalbindmask", "streamlocalbindunlink", "stricthostkeychecking", "syslogfacility", "tcpkeepalive", "tunnel",
    "tunneldevice", "updatehostkeys", "useprivilegedport", "usersh", "useroaming", "versionaddendum", "visualhostkey",
    "warnweakcrypto", "xauthlocation",
})  # fmt: skip
KNOWN = YES_NO | CHOICES.keys() | NUMBERS | TEXTS | LISTS | ADDED | COMMANDS | IGNORED | {"port", "include"}
