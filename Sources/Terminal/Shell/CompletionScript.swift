/// The scripts that make shells ask this program what can stand on its command line.
enum CompletionScript: String, CaseIterable {
    case bash, zsh, fish

    var text: String {
        switch self {
        case .bash: CompletionScript.bashText
        case .zsh: CompletionScript.zshText
        case .fish: CompletionScript.fishText
        }
    }

    private static let bashText = #"""
        # Completion of codeai-hub in bash. For this shell:  source <(codeai-hub completions bash)
        # For all:  codeai-hub completions bash > ~/.local/share/bash-completion/completions/codeai-hub

        _codeai_hub() {
            local program=${1/#\~/$HOME} tab=$'\t' line word current
            local -a words=() candidates=() titles=()
            local i
            # bash breaks words at "="; here --option=value is one.
            for ((i = 1; i <= COMP_CWORD; i++)); do
                word=${COMP_WORDS[i]}
                if ((${#words[@]})) && [[ $word == = || ${COMP_WORDS[i - 1]} == = ]]; then
                    words[${#words[@]} - 1]+=$word
                else
                    words+=("$word")
                fi
            done
            current=${words[${#words[@]} - 1]}
            COMPREPLY=()
            while IFS= read -r line; do
                case $line in
                    :files | :directories)
                        compopt -o filenames 2>/dev/null
                        [[ $line == :files ]] && i=-f || i=-d
                        word=$current
                        [[ $word == --*=* ]] && word=${word#*=}
                        while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen $i -- "$word")
                        return
                        ;;
                    *)
                        candidates+=("${line%%"$tab"*}")
                        titles+=("${line#*"$tab"}")
                        ;;
                esac
            done < <("$program" __complete -- "${words[@]}" 2>/dev/null)
            for ((i = 0; i < ${#candidates[@]}; i++)); do
                word=${candidates[i]}
                [[ $current == --*=* ]] && word=${word#*=}
                # What is said about it is for the list only; alone, it goes onto the line.
                if ((${#candidates[@]} > 1)) && [[ -n ${titles[i]} && $COMP_TYPE == 63 ]]; then
                    printf -v word '%s  (%.60s)' "$word" "${titles[i]}"
                fi
                COMPREPLY+=("$word")
            done
        }

        complete -F _codeai_hub codeai-hub

        """#

    private static let zshText = #"""
        #compdef codeai-hub
        # Completion of codeai-hub in zsh. For this shell:  source <(codeai-hub completions zsh)
        # For all: codeai-hub completions zsh > FOLDER/_codeai-hub, with a folder that is in $fpath

        _codeai_hub() {
            local line tab=$'\t' word
            local -a candidates
            while IFS= read -r line; do
                case $line in
                    :files) _files; return ;;
                    :directories) _directories; return ;;
                    *)
                        word=${line%%$tab*}
                        candidates+=("${word//:/\\:}:${line#*$tab}")
                        ;;
                esac
            done < <("${words[1]/#\~/$HOME}" __complete -- "${(@Q)words[2,CURRENT]}" 2>/dev/null)
            _describe -V 'codeai-hub' candidates
        }

        if [[ $funcstack[1] == _codeai-hub ]]; then
            _codeai_hub "$@"
        else
            compdef _codeai_hub codeai-hub
        fi

        """#

    private static let fishText = #"""
        # Completion of codeai-hub in fish. For this shell:  codeai-hub completions fish | source
        # For all:  codeai-hub completions fish > ~/.config/fish/completions/codeai-hub.fish

        function __codeai_hub_complete
            set -l words (commandline -opc)
            set -l current (commandline -ct)
            for line in ($words[1] __complete -- $words[2..-1] "$current" 2>/dev/null)
                switch $line
                    case ':files'
                        __fish_complete_path "$current"
                    case ':directories'
                        __fish_complete_directories "$current"
                    case '*'
                        printf '%s\n' $line
                end
            end
        end

        complete -c codeai-hub -f -k -a '(__codeai_hub_complete)'

        """#
}
